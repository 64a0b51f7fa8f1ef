// The sending half of a link's data plane: messages, runs and acknowledgements to frames. This is the hot path:
// a message costs its bytes in the slab, a run one copy of all its packets.
// The frames are drawn in frame.ts.
import { ShoalError } from '../errors.ts'
import type { Message, OriginName, TopicName } from '../message.ts'
import { copyBytes } from './copy.ts'
import { NO_REF, SentDictionary } from './dictionary.ts'
import { FLAGS, FRAME, ORIGIN, ORIGINS_MAX } from './frame.ts'
import { VARINT_BYTES_MAX, writeVarint } from './varint.ts'
import { INLINE_BYTES_MAX, INLINE_RUN_BYTES_MAX, type Writer } from './writer.ts'

/** Flags, and the numbers: topic, offset, origin, sequence, and length of the properties or count of a run. */
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
    this.#write(message, topic, false)
  }

  deliver(message: Message): void {
    let topic = this.#topics.refOf(message.topic)
    if (topic === NO_REF || this.#topics.stampOf(topic) !== message.epoch) {
      topic = this.#defineTopic(message.topic, message.epoch)
    }
    this.#write(message, topic, true)
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

  #write(message: Message, topic: number, isDelivery: boolean): void {
    const { properties, origin } = message
    const isRun = message.count > 1
    const bodyStart = isRun ? message.packetStart : message.payloadStart
    const bodyBytes = message.payloadEnd - bodyStart
    const propertiesBytes = properties === null ? 0 : properties.length
    if (FIELDS_BYTES_MAX + propertiesBytes + bodyBytes > this.#frameBytesMax) {
      throw new ShoalError('FRAME_TOO_LARGE', {
        bytes: propertiesBytes + bodyBytes,
        bytesMax: this.#frameBytesMax
      })
    }
    let flags: number = message.qos
    if (!isDelivery) flags |= Math.min(message.hops, FLAGS.HOPS) << FLAGS.HOPS_SHIFT
    if (isRun ? message.packetVersion === 5 : message.retain) flags |= isRun ? FLAGS.VERSION_5 : FLAGS.RETAIN
    if (properties !== null) flags |= FLAGS.PROPERTIES
    let originRef = NO_REF
    if (origin !== null) {
      if (origin === this.#ours) flags |= ORIGIN.SENDER << FLAGS.ORIGIN_SHIFT
      else if (origin === this.#theirs) flags |= ORIGIN.RECEIVER << FLAGS.ORIGIN_SHIFT
      else {
        originRef = this.#originRefOf(origin)
        flags |= ORIGIN.NAMED << FLAGS.ORIGIN_SHIFT
      }
    }

    const writer = this.#writer
    const isInline = bodyBytes <= (isRun ? INLINE_RUN_BYTES_MAX : INLINE_BYTES_MAX)
    let at = writer.open(FIELDS_BYTES_MAX + propertiesBytes + (isInline ? bodyBytes : 0))
    const slab = writer.slab
    slab[at++] = flags
    at = writeVarint(slab, at, topic)
    if (isDelivery) at = writeVarint(slab, at, message.offset)
    if (originRef !== NO_REF) at = writeVarint(slab, at, originRef)
    if (origin !== null) at = writeVarint(slab, at, message.sequence)
    if (isRun) at = writeVarint(slab, at, message.count)
    if (properties !== null) {
      at = writeVarint(slab, at, propertiesBytes)
      at = copyBytes(properties, 0, propertiesBytes, slab, at)
    }
    const type = isRun
      ? isDelivery
        ? FRAME.DELIVER_RUN
        : FRAME.PUBLISH_RUN
      : isDelivery
        ? FRAME.DELIVER
        : FRAME.PUBLISH
    if (isInline) {
      at = copyBytes(message.buffer, bodyStart, message.payloadEnd, slab, at)
      writer.seal(type, at, 0)
    } else {
      writer.seal(type, at, bodyBytes)
      writer.append(message.buffer.subarray(bodyStart, message.payloadEnd))
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
