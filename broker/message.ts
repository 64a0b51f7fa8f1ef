// The message, as it travels from the gateway that read it to the subscribers: one object of a
// fixed shape, whose payload stays in the chunk it was read into. Or a run of them (run.ts), packet behind packet,
// which is ordered, sent, taken and acknowledged as one, and counted as what it is.
//
//   a message  ┌───────────────┬────────────────────┬──────────────┬──────────┐
//              │ other packets │ PUBLISH header     │ payload      │ others   │
//              └───────────────┴────────────────────┴──────────────┴──────────┘
//                              ▲ packetStart        ▲ payloadStart ▲ payloadEnd
//
//   a run      ┌───────────────┬──────────┬──────────┬──────────┬─────────────┐
//   of three   │ other packets │ PUBLISH  │ PUBLISH  │ PUBLISH  │ others      │
//              └───────────────┴──────────┴──────────┴──────────┴─────────────┘
//                              ▲ packetStart                    ▲ payloadEnd
import assert from 'node:assert'
import { behindTopic, type PacketVersion, packetEnd } from './run.ts'

export type QoS = 0 | 1 | 2

/**
 * What a message may have of topic, properties and payload together, in bytes: a frame between two nodes carries
 * 16 MiB, of which 64 KiB are left for what stands around them. Gateways accept no larger packets and bodies.
 */
export const MESSAGE_BYTES_MAX = 16 * 1024 * 1024 - 64 * 1024

/** A topic name as a node knows it: one object a topic, so that it can be compared and looked up by identity. */
export interface TopicName {
  readonly name: string
  /** The name in UTF-8. At most 65,535 bytes. */
  readonly bytes: Uint8Array
}

/** A process that publishes: the instance of a node, new at each start. One object an instance. */
export interface OriginName {
  /** 16 hexadecimal digits. */
  readonly instance: string
}

/** Told when a message of QoS 1 or 2 is safe: ordered by its owner and taken by every node with a subscriber. */
export interface Receipt {
  /**
   * `token` is the message's; `reason` an MQTT 5 PUBACK reason code: 0x00, 0x10 (no matching subscribers) or >= 0x80.
   * For a run it holds for `count` tokens from `token` on.
   */
  published(token: number, reason: number, count: number): void
}

const noBytes = new Uint8Array(0)

export class Message {
  topic: TopicName
  /** Holds the payload at `payloadStart..payloadEnd`; of a run the first one begins there, and the last one ends. */
  buffer: Uint8Array
  payloadStart: number
  payloadEnd: number
  /** 1; or more for a run, whose sequence, offset and token are those of its first, and go up by one a message. */
  count: number
  /**
   * The version of the `count` PUBLISH packets that lie at `packetStart..payloadEnd`, with this topic, this QoS, RETAIN 0,
   * DUP 0 and these properties, so that they can be forwarded as they were read; 0 if there are none. A run has them.
   */
  packetVersion: PacketVersion | 0
  packetStart: number
  qos: QoS
  /** The RETAIN flag as published. */
  retain: boolean
  /** MQTT 5 properties to be forwarded unaltered, encoded as in the packet without their length; null if none. */
  properties: Uint8Array | null
  /** The subscriber object that published it here, for No Local; null if it came from elsewhere. */
  publisher: object | null

  /** With `sequence`, identifies a message of QoS >= 1 in the cluster; null until it leaves its node. */
  origin: OriginName | null
  sequence: number
  /** How often it was passed on by nodes that did not own its topic. */
  hops: number
  /** Place in the topic's total order: compare `epoch` first. Both 0 until the owner has ordered it. */
  epoch: number
  offset: number

  receipt: Receipt | null
  token: number

  /** As browsers get it; made by the first that needs it. */
  json: Uint8Array | null
  /** The messages of a run one by one; made by the first that needs them. */
  split: readonly Message[] | null

  constructor(
    topic: TopicName,
    buffer: Uint8Array,
    payloadStart: number,
    payloadEnd: number,
    qos: QoS,
    retain: boolean
  ) {
    this.topic = topic
    this.buffer = buffer
    this.payloadStart = payloadStart
    this.payloadEnd = payloadEnd
    this.count = 1
    this.packetVersion = 0
    this.packetStart = 0
    this.qos = qos
    this.retain = retain
    this.properties = null
    this.publisher = null
    this.origin = null
    this.sequence = 0
    this.hops = 0
    this.epoch = 0
    this.offset = 0
    this.receipt = null
    this.token = 0
    this.json = null
    this.split = null
  }

  /** A view of the payload; shares memory with `buffer`. Not of a run. */
  payload(): Uint8Array {
    assert(this.count === 1)
    return this.buffer.subarray(this.payloadStart, this.payloadEnd)
  }

  /** A message with an empty payload and RETAIN set clears what is retained. */
  get isEmpty(): boolean {
    return this.count === 1 && this.payloadStart === this.payloadEnd
  }

  /** Gives it its place in the topic's order. */
  place(epoch: number, offset: number): void {
    this.epoch = epoch
    this.offset = offset
    this.split = null
  }

  /**
   * The messages of a run one by one, as a subscriber that knows no runs gets them: the same objects for all who ask, of
   * this place in the order, without receipts.
   */
  singles(): readonly Message[] {
    this.split ??= this.#split()
    return this.split
  }

  #split(): Message[] {
    const { topic, buffer, qos, packetVersion } = this
    const singles: Message[] = []
    const payloadOffset = (qos === 0 ? 0 : 2) + (packetVersion === 5 ? 1 : 0)
    let at = this.packetStart
    for (let i = 0; i < this.count; i++) {
      const end = packetEnd(buffer, at)
      const single = new Message(topic, buffer, behindTopic(buffer, at) + payloadOffset, end, qos, false)
      single.packetVersion = packetVersion
      single.packetStart = at
      single.publisher = this.publisher
      single.origin = this.origin
      single.sequence = this.origin === null ? 0 : this.sequence + i
      single.hops = this.hops
      single.epoch = this.epoch
      single.offset = this.offset + i
      singles.push(single)
      at = end
    }
    assert(at === this.payloadEnd)
    return singles
  }

  /** A copy that shares no memory with the chunk that was read: for messages that are kept. */
  detached(): Message {
    const copy = new Message(
      this.topic,
      noBytes,
      0,
      this.payloadEnd - this.payloadStart,
      this.qos,
      this.retain
    )
    // Not `slice`: a Buffer's is a view.
    copy.buffer = new Uint8Array(this.payload())
    copy.properties = this.properties === null ? null : new Uint8Array(this.properties)
    copy.origin = this.origin
    copy.sequence = this.sequence
    copy.epoch = this.epoch
    copy.offset = this.offset
    return copy
  }
}
