// Messages of the publish API as JSON, side by side and ready for a batch:
//
//   {"topic":"load/1a/0/0","qos":0,"payload":"…"},{"topic":…},
//
// What goes around them is the client's; the last comma is not sent.
import { Buffer } from 'node:buffer'
import { type PublishRing, PublishSlab, type Qos } from '../client.ts'
import { STREAM_AT, TEXT_SENT_AT, TEXT_SEQUENCE_AT, writeLetters, writeTimeLetters } from '../stamp.ts'

const TAIL = '"},'

export class HttpPublishRing implements PublishRing {
  readonly length: number
  readonly #slab: PublishSlab
  readonly #payloadBytes: number

  constructor(
    topics: readonly string[],
    firstStream: number,
    shape: { payloadBytes: number; qos: Qos; batch: number }
  ) {
    const text = Buffer.alloc(shape.payloadBytes, '.')
    this.#slab = new PublishSlab(topics.length, shape.batch, topic => {
      writeLetters(text, STREAM_AT, firstStream + topic)
      const head = `{"topic":${JSON.stringify(topics[topic])},"qos":${shape.qos},"payload":"`
      return Buffer.from(`${head}${text.toString('latin1')}${TAIL}`)
    })
    this.length = this.#slab.length
    this.#payloadBytes = shape.payloadBytes
  }

  stamp(place: number, _message: number, sequence: number, sentUs: number): void {
    const payload = this.#slab.end(place) - TAIL.length - this.#payloadBytes
    writeLetters(this.#slab.bytes, payload + TEXT_SEQUENCE_AT, sequence)
    writeTimeLetters(this.#slab.bytes, payload + TEXT_SENT_AT, Math.floor(sentUs))
  }

  slice(place: number, count: number): Buffer {
    return this.#slab.slice(place, count)
  }
}
