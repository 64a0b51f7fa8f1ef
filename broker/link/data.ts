// The data plane of a link: messages and their acknowledgements to frames and back. This is the hot path:
// a message costs its bytes in the slab on one side, and one Message on the other.
// The frames are drawn in frame.ts.

import { ShoalError } from '../errors.ts'
import type { OriginName, QoS, TopicName } from '../message.ts'
import { Message } from '../message.ts'
import { copyBytes } from './copy.ts'
import { NO_REF, ReceivedDictionary, SentDictionary } from './dictionary.ts'
import { FRAME } from './frame.ts'
import type { DataHandlers } from './handlers.ts'
import { Cursor, utf8, VARINT_BYTES_MAX, writeVarint } from './varint.ts'
import { INLINE_BYTES_MAX, type Writer } from './writer.ts'

/** Instances that a link names in one direction; there is one for each node that publishes. */
const ORIGINS_MAX = 4096

const RETAIN = 1 << 2
const HOPS_SHIFT = 3
const HOPS_MAX = 3
const PROPERTIES = 1 << 5
const ORIGIN_SHIFT = 6
const ORIGIN_NONE = 0
const ORIGIN_SENDER = 1
const ORIGIN_RECEIVER = 2
const ORIGIN_NAMED = 3

/** Flags, and the numbers: topic, offset, origin, sequence, length of the properties. */
const FIELDS_BYTES_MAX = 1 + 5 * VARINT_BYTES_MAX

/** Encodes what this node sends. Throws FRAME_TOO_LARGE for a message that the peer would not accept. */
export class DataSender {
  readonly #writer: Writer
  readonly #ours: OriginName
  readonly #theirs: OriginName
  readonly #frameBytesMax: number
  readonly #topics: SentDictionary<TopicName>
  readonly #origins: SentDictionary<OriginName>

  constructor(
    writer: Writer,
    ours: OriginName,
    theirs: OriginName,
    frameBytesMax: number,
    topicsMax: number
  ) {
    this.#writer = writer
    this.#ours = ours
    this.#theirs = theirs
    this.#frameBytesMax = frameBytesMax
    this.#topics = new SentDictionary(topicsMax)
    this.#origins = new SentDictionary(ORIGINS_MAX)
  }

  publish(message: Message): void {
    let topic = this.#topics.refOf(message.topic)
    if (topic === NO_REF) topic = this.#defineTopic(message.topic, 0)
    this.#write(FRAME.PUBLISH, message, topic, Math.min(message.hops, HOPS_MAX) << HOPS_SHIFT)
  }

  deliver(message: Message): void {
    let topic = this.#topics.refOf(message.topic)
    if (topic === NO_REF || this.#topics.stampOf(topic) !== message.epoch) {
      topic = this.#defineTopic(message.topic, message.epoch)
    }
    this.#write(FRAME.DELIVER, message, topic, 0)
  }

  publishAck(origin: OriginName, first: number, last: number, reason: number): void {
    const ref = this.#ackOriginOf(origin)
    const start = this.#writer.open(1 + 3 * VARINT_BYTES_MAX)
    const slab = this.#writer.slab
    let at = writeVarint(slab, start, ref)
    slab[at++] = reason
    at = writeVarint(slab, at, first)
    at = writeVarint(slab, at, last - first)
    this.#writer.seal(FRAME.PUBLISH_ACK, at, 0)
  }

  deliverAck(count: number): void {
    const start = this.#writer.open(VARINT_BYTES_MAX)
    this.#writer.seal(FRAME.DELIVER_ACK, writeVarint(this.#writer.slab, start, count), 0)
  }

  #write(type: number, message: Message, topic: number, hops: number): void {
    const { properties, origin } = message
    const payloadBytes = message.payloadEnd - message.payloadStart
    const propertiesBytes = properties === null ? 0 : properties.length
    if (FIELDS_BYTES_MAX + propertiesBytes + payloadBytes > this.#frameBytesMax) {
      throw new ShoalError('FRAME_TOO_LARGE', {
        bytes: propertiesBytes + payloadBytes,
        bytesMax: this.#frameBytesMax
      })
    }
    let flags = message.qos | hops
    if (message.retain) flags |= RETAIN
    if (properties !== null) flags |= PROPERTIES
    let originRef = NO_REF
    if (origin !== null) {
      if (origin === this.#ours) flags |= ORIGIN_SENDER << ORIGIN_SHIFT
      else if (origin === this.#theirs) flags |= ORIGIN_RECEIVER << ORIGIN_SHIFT
      else {
        originRef = this.#originRefOf(origin)
        flags |= ORIGIN_NAMED << ORIGIN_SHIFT
      }
    }

    const writer = this.#writer
    const isInline = payloadBytes <= INLINE_BYTES_MAX
    let at = writer.open(FIELDS_BYTES_MAX + propertiesBytes + (isInline ? payloadBytes : 0))
    const slab = writer.slab
    slab[at++] = flags
    at = writeVarint(slab, at, topic)
    if (type === FRAME.DELIVER) at = writeVarint(slab, at, message.offset)
    if (originRef !== NO_REF) at = writeVarint(slab, at, originRef)
    if (origin !== null) at = writeVarint(slab, at, message.sequence)
    if (properties !== null) {
      at = writeVarint(slab, at, propertiesBytes)
      at = copyBytes(properties, 0, propertiesBytes, slab, at)
    }
    if (isInline) {
      at = copyBytes(message.buffer, message.payloadStart, message.payloadEnd, slab, at)
      writer.seal(type, at, 0)
    } else {
      writer.seal(type, at, payloadBytes)
      writer.append(message.payload())
    }
  }

  #defineTopic(topic: TopicName, epoch: number): number {
    const ref = this.#topics.define(topic, epoch)
    let at = this.#writer.open(2 * VARINT_BYTES_MAX + topic.bytes.length)
    at = writeVarint(this.#writer.slab, at, ref)
    at = writeVarint(this.#writer.slab, at, epoch)
    at = copyBytes(topic.bytes, 0, topic.bytes.length, this.#writer.slab, at)
    this.#writer.seal(FRAME.DEFINE_TOPIC, at, 0)
    return ref
  }

  #originRefOf(origin: OriginName): number {
    const known = this.#origins.refOf(origin)
    if (known !== NO_REF) return known
    const ref = this.#origins.define(origin, 0)
    const name = Buffer.from(origin.instance)
    let at = this.#writer.open(VARINT_BYTES_MAX + name.length)
    at = writeVarint(this.#writer.slab, at, ref)
    at = copyBytes(name, 0, name.length, this.#writer.slab, at)
    this.#writer.seal(FRAME.DEFINE_ORIGIN, at, 0)
    return ref
  }

  #ackOriginOf(origin: OriginName): number {
    if (origin === this.#ours) return 0
    if (origin === this.#theirs) return 1
    return this.#originRefOf(origin) + 2
  }
}

/** Decodes what the peer sends. All methods throw FRAME_INVALID for what is not a valid body of their frame. */
export class DataReceiver {
  readonly #handlers: DataHandlers
  readonly #ours: OriginName
  readonly #theirs: OriginName
  readonly #topics: ReceivedDictionary<TopicName>
  readonly #origins: ReceivedDictionary<OriginName>
  readonly #cursor: Cursor

  constructor(handlers: DataHandlers, ours: OriginName, theirs: OriginName, topicsMax: number) {
    this.#handlers = handlers
    this.#ours = ours
    this.#theirs = theirs
    this.#topics = new ReceivedDictionary(topicsMax)
    this.#origins = new ReceivedDictionary(ORIGINS_MAX)
    this.#cursor = new Cursor()
  }

  defineTopic(buffer: Buffer, start: number, end: number): void {
    const cursor = this.#cursor.set(buffer, start, end)
    const ref = cursor.varint()
    const epoch = cursor.varint()
    const name = utf8(cursor.rest())
    let topic: TopicName
    try {
      topic = this.#handlers.topic(name)
    } catch (error) {
      throw new ShoalError('FRAME_INVALID', { field: 'topic' }, error)
    }
    this.#topics.define(ref, topic, epoch)
  }

  defineOrigin(buffer: Buffer, start: number, end: number): void {
    const cursor = this.#cursor.set(buffer, start, end)
    const ref = cursor.varint()
    const instance = utf8(cursor.rest())
    if (!INSTANCE.test(instance)) throw new ShoalError('FRAME_INVALID', { field: 'instance' })
    this.#origins.define(ref, this.#handlers.origin(instance), 0)
  }

  /** The message of a PUBLISH (`isDelivery` false) or a DELIVER. Its payload stays where it is. */
  message(buffer: Buffer, start: number, end: number, isDelivery: boolean): Message {
    const cursor = this.#cursor.set(buffer, start, end)
    const flags = cursor.byte()
    const qos = flags & 3
    if (qos === 3) throw new ShoalError('FRAME_INVALID', { field: 'qos' })
    const ref = cursor.varint()
    const topic = this.#topics.names[ref]
    if (topic === undefined) throw new ShoalError('FRAME_INVALID', { field: 'topic', ref })
    const message = new Message(topic, buffer, end, end, qos as QoS, (flags & RETAIN) !== 0)
    if (isDelivery) {
      message.epoch = this.#topics.stamps[ref]!
      message.offset = cursor.varint()
    } else message.hops = (flags >>> HOPS_SHIFT) & HOPS_MAX
    const originKind = flags >>> ORIGIN_SHIFT
    if (originKind !== ORIGIN_NONE) {
      if (originKind === ORIGIN_SENDER) message.origin = this.#theirs
      else if (originKind === ORIGIN_RECEIVER) message.origin = this.#ours
      else message.origin = this.#named(cursor.varint())
      message.sequence = cursor.varint()
    }
    if ((flags & PROPERTIES) !== 0) message.properties = cursor.bytes(cursor.varint())
    message.payloadStart = cursor.at
    return message
  }

  /** Reads a PUBLISH_ACK and hands it over as `take(origin, first, last, reason)`. */
  publishAck(
    buffer: Buffer,
    start: number,
    end: number,
    take: (origin: OriginName, first: number, last: number, reason: number) => void
  ): void {
    const cursor = this.#cursor.set(buffer, start, end)
    const ref = cursor.varint()
    const origin = ref === 0 ? this.#theirs : ref === 1 ? this.#ours : this.#named(ref - 2)
    const reason = cursor.byte()
    const first = cursor.varint()
    const last = first + cursor.varint()
    cursor.finish()
    if (last > Number.MAX_SAFE_INTEGER) throw new ShoalError('FRAME_INVALID', { field: 'last' })
    take(origin, first, last, reason)
  }

  /** The count of a DELIVER_ACK. */
  deliverAck(buffer: Buffer, start: number, end: number): number {
    const cursor = this.#cursor.set(buffer, start, end)
    const count = cursor.varint()
    cursor.finish()
    return count
  }

  #named(ref: number): OriginName {
    const origin = this.#origins.names[ref]
    if (origin === undefined) throw new ShoalError('FRAME_INVALID', { field: 'origin', ref })
    return origin
  }
}

const INSTANCE = /^[0-9a-f]{16}$/
