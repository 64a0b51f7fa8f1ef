// The receiving half of a link's data plane: frames to messages, runs and acknowledgements. This is the hot path: a
// message or a run costs one Message, whose bytes stay where they are. What a run says of itself is checked packet
// by packet, since it goes to clients as it is.
// The frames are drawn in frame.ts.
import { ShoalError } from '../errors.ts'
import { Message, type OriginName, type QoS, type TopicName } from '../message.ts'
import { behindTopic, RUN_BYTES_MAX, RUN_MESSAGES_MAX, RunView } from '../run.ts'
import { ReceivedDictionary } from './dictionary.ts'
import { FLAGS, FRAME, ORIGIN, ORIGINS_MAX } from './frame.ts'
import type { DataHandlers } from './handlers.ts'
import { Cursor, utf8 } from './varint.ts'

/** The first byte of a PUBLISH packet of QoS 0. */
const PUBLISH = 0x30

/** Decodes what the peer sends. All methods throw FRAME_INVALID for what is not a valid body of their frame. */
export class DataReceiver {
  readonly #handlers: DataHandlers
  readonly #ours: OriginName
  readonly #theirs: OriginName
  readonly #topics: ReceivedDictionary<TopicName>
  readonly #origins: ReceivedDictionary<OriginName>
  readonly #cursor: Cursor
  readonly #run: RunView

  constructor(handlers: DataHandlers, ours: OriginName, theirs: OriginName, topicsMax: number) {
    this.#handlers = handlers
    this.#ours = ours
    this.#theirs = theirs
    this.#topics = new ReceivedDictionary(topicsMax)
    this.#origins = new ReceivedDictionary(ORIGINS_MAX)
    this.#cursor = new Cursor()
    this.#run = new RunView()
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

  /** The message of a PUBLISH, a DELIVER, or a run of either. Its bytes stay where they are. */
  message(type: number, buffer: Buffer, start: number, end: number): Message {
    const cursor = this.#cursor.set(buffer, start, end)
    const isRun = type === FRAME.PUBLISH_RUN || type === FRAME.DELIVER_RUN
    const flags = cursor.byte()
    const qos = flags & FLAGS.QOS
    if (qos === 3) throw new ShoalError('FRAME_INVALID', { field: 'qos' })
    const ref = cursor.varint()
    const topic = this.#topics.names[ref]
    if (topic === undefined) throw new ShoalError('FRAME_INVALID', { field: 'topic', ref })
    const message = new Message(topic, buffer, end, end, qos as QoS, !isRun && (flags & FLAGS.RETAIN) !== 0)
    if (type === FRAME.DELIVER || type === FRAME.DELIVER_RUN) {
      message.epoch = this.#topics.stamps[ref]!
      message.offset = cursor.varint()
    } else message.hops = (flags >>> FLAGS.HOPS_SHIFT) & FLAGS.HOPS
    const originKind = flags >>> FLAGS.ORIGIN_SHIFT
    if (originKind !== ORIGIN.NONE) {
      if (originKind === ORIGIN.SENDER) message.origin = this.#theirs
      else if (originKind === ORIGIN.RECEIVER) message.origin = this.#ours
      else message.origin = this.#named(cursor.varint())
      message.sequence = cursor.varint()
    }
    if (isRun) this.#readRun(message, flags, cursor)
    else {
      if ((flags & FLAGS.PROPERTIES) !== 0) message.properties = cursor.bytes(cursor.varint())
      message.payloadStart = cursor.at
    }
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

  /** The packets must be what the frame says they are, to the last byte, and no more than a run may have. */
  #readRun(message: Message, flags: number, cursor: Cursor): void {
    const count = cursor.varint()
    const { at, end } = cursor
    if (
      (flags & FLAGS.PROPERTIES) !== 0 ||
      count < 2 ||
      count > RUN_MESSAGES_MAX ||
      end - at > RUN_BYTES_MAX
    ) {
      throw new ShoalError('FRAME_INVALID', { field: 'run', count, bytes: end - at })
    }
    const { qos, topic, buffer } = message
    const version = (flags & FLAGS.VERSION_5) === 0 ? 4 : 5
    const run = this.#run
    run.read(buffer, at, end, PUBLISH | (qos << 1), topic.bytes, version, count, RUN_BYTES_MAX)
    if (run.count !== count || run.end !== end) {
      throw new ShoalError('FRAME_INVALID', { field: 'run', count, valid: run.count })
    }
    message.count = count
    message.packetVersion = version
    message.packetStart = at
    message.payloadStart = behindTopic(buffer, at) + (qos === 0 ? 0 : 2) + (version === 5 ? 1 : 0)
  }

  #named(ref: number): OriginName {
    const origin = this.#origins.names[ref]
    if (origin === undefined) throw new ShoalError('FRAME_INVALID', { field: 'origin', ref })
    return origin
  }
}

const INSTANCE = /^[0-9a-f]{16}$/
