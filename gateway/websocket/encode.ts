// From a message to its line of JSON (client-js/wire.ts, MessageFrame), made once and shared by all
// subscribers. Payloads are mostly short and plain: those are copied while they are looked at, and
// only others (quotes, controls, beyond ASCII) take the way through a string.
import { isUtf8 } from 'node:buffer'
import type { Message, TopicName } from '../../broker/message.ts'
import { Slab } from './slab.ts'

/** Room for `,"e":…,"o":…,"r":1,"s":…,"p":"` and `"}\n`: three integers of at most 16 digits. */
const FRAMING_BYTES = 96
const PLAIN_BYTES_MAX = 16 * 1024

const EPOCH = Buffer.from(',"e":')
const OFFSET = Buffer.from(',"o":')
const TEXT = Buffer.from(',"p":"')
const RETAINED = Buffer.from(',"r":1,"s":')
const END = Buffer.from('"}\n')

export class MessageEncoder {
  #slab = new Slab()
  /** `{"m":"<topic>"` of each topic that was encoded while its TopicName lives. */
  #heads = new WeakMap<TopicName, Uint8Array>()

  /** The message's line, with its `\n`; kept in `message.json` for the next subscriber. */
  encode(message: Message): Uint8Array {
    let json = message.json
    if (json === null) {
      json = this.#line(message, -1)
      message.json = json
    }
    return json
  }

  /** The line of a retained copy for the subscription `id`: not shared. */
  encodeRetained(message: Message, id: number): Uint8Array {
    return this.#line(message, id)
  }

  #line(message: Message, retainedFor: number): Uint8Array {
    const head = this.#head(message.topic)
    const payloadBytes = message.payloadEnd - message.payloadStart
    if (payloadBytes <= PLAIN_BYTES_MAX) {
      const line = this.#plainLine(message, head, payloadBytes, retainedFor)
      if (line !== null) return line
    }
    return this.#otherLine(message, head, retainedFor)
  }

  /** Null when the payload needs escapes or is not ASCII. */
  #plainLine(
    message: Message,
    head: Uint8Array,
    payloadBytes: number,
    retainedFor: number
  ): Uint8Array | null {
    const slab = this.#slab
    slab.reserve(head.length + FRAMING_BYTES + payloadBytes)
    const to = slab.bytes
    let at = writeFraming(to, slab.end, message, head, retainedFor)
    at = copy(TEXT, to, at)
    const from = message.buffer
    const end = message.payloadEnd
    for (let i = message.payloadStart; i < end; i++) {
      const byte = from[i]!
      if (byte < 0x20 || byte > 0x7e || byte === 0x22 || byte === 0x5c) return null
      to[at++] = byte
    }
    return slab.take(copy(END, to, at))
  }

  #otherLine(message: Message, head: Uint8Array, retainedFor: number): Uint8Array {
    const payload = Buffer.from(message.buffer.buffer, message.buffer.byteOffset, message.buffer.byteLength)
    const { payloadStart, payloadEnd } = message
    const rest = isUtf8(payload.subarray(payloadStart, payloadEnd))
      ? `,"p":${JSON.stringify(payload.toString('utf8', payloadStart, payloadEnd))}}\n`
      : `,"b":"${payload.toString('base64', payloadStart, payloadEnd)}"}\n`
    const slab = this.#slab
    slab.reserve(head.length + FRAMING_BYTES + Buffer.byteLength(rest))
    const at = writeFraming(slab.bytes, slab.end, message, head, retainedFor)
    return slab.take(at + slab.bytes.write(rest, at))
  }

  #head(topic: TopicName): Uint8Array {
    let head = this.#heads.get(topic)
    if (head === undefined) {
      head = Buffer.from(`{"m":${JSON.stringify(topic.name)}`)
      this.#heads.set(topic, head)
    }
    return head
  }
}

/** All before the payload. Returns where it ends. */
function writeFraming(
  to: Uint8Array,
  start: number,
  message: Message,
  head: Uint8Array,
  retainedFor: number
): number {
  let at = copy(head, to, start)
  at = copy(EPOCH, to, at)
  at = writeInteger(to, at, message.epoch)
  at = copy(OFFSET, to, at)
  at = writeInteger(to, at, message.offset)
  if (retainedFor >= 0) {
    at = copy(RETAINED, to, at)
    at = writeInteger(to, at, retainedFor)
  }
  return at
}

/** Short pieces: a loop is faster than `set`. */
function copy(from: Uint8Array, to: Uint8Array, at: number): number {
  for (let i = 0; i < from.length; i++) to[at++] = from[i]!
  return at
}

/** Decimal digits of a safe integer >= 0. */
function writeInteger(to: Uint8Array, start: number, value: number): number {
  let digits = 1
  for (let limit = 10; limit <= value; limit *= 10) digits++
  let rest = value
  for (let at = start + digits - 1; at >= start; at--) {
    const tenth = Math.floor(rest / 10)
    to[at] = 0x30 + (rest - tenth * 10)
    rest = tenth
  }
  return start + digits
}
