// Publishes of the browser protocol, each a text frame of its own as a page would send it. Numbers that
// change have a fixed width, so that they can be patched in place.
import { Buffer } from 'node:buffer'
import { type PublishRing, PublishSlab, type Qos } from '../client.ts'
import { STREAM_AT, TEXT_SENT_AT, TEXT_SEQUENCE_AT, writeLetters, writeTimeLetters } from '../stamp.ts'
import { clientFrame, OPCODE } from './frames.ts'

/** Ids have nine digits: a JSON number has no leading zero. */
const FIRST_ID = 100_000_000
const IDS = 100_000_000
const ID_DIGITS = 9
const ZERO = 0x30
const ID_HEAD = '{"t":"publish","id":'

export class WebSocketPublishRing implements PublishRing {
  readonly length: number
  readonly #slab: PublishSlab
  readonly #payloadBytes: number
  readonly #idAt: number
  readonly #qos: Qos

  constructor(
    topics: readonly string[],
    firstStream: number,
    shape: { payloadBytes: number; qos: Qos; batch: number }
  ) {
    const text = Buffer.alloc(shape.payloadBytes, '.')
    let headerBytes = 0
    this.#slab = new PublishSlab(topics.length, shape.batch, topic => {
      writeLetters(text, STREAM_AT, firstStream + topic)
      const head = `${ID_HEAD}${FIRST_ID},"topic":${JSON.stringify(topics[topic])},"qos":${shape.qos},"text":"`
      const line = Buffer.from(`${head}${text.toString('latin1')}"}`)
      const frame = clientFrame(OPCODE.text, line)
      headerBytes = frame.length - line.length
      return frame
    })
    this.length = this.#slab.length
    this.#payloadBytes = shape.payloadBytes
    this.#idAt = headerBytes + ID_HEAD.length
    this.#qos = shape.qos
  }

  stamp(place: number, message: number, sequence: number, sentUs: number): void {
    const { bytes } = this.#slab
    const payload = this.#slab.end(place) - 2 - this.#payloadBytes
    writeLetters(bytes, payload + TEXT_SEQUENCE_AT, sequence)
    writeTimeLetters(bytes, payload + TEXT_SENT_AT, Math.floor(sentUs))
    if (this.#qos === 0) return
    let rest = FIRST_ID + (message % IDS)
    for (let at = this.#slab.start(place) + this.#idAt + ID_DIGITS - 1, i = 0; i < ID_DIGITS; i++) {
      bytes[at - i] = ZERO + (rest % 10)
      rest = Math.floor(rest / 10)
    }
  }

  slice(place: number, count: number): Buffer {
    return this.#slab.slice(place, count)
  }
}
