// The message, as it travels from the gateway that read it to the subscribers: one object of a
// fixed shape, whose payload stays in the chunk it was read into.
//
//   buffer  ┌───────────────┬────────────────────┬──────────────┬──────────┐
//           │ other packets │ PUBLISH header     │ payload      │ others   │
//           └───────────────┴────────────────────┴──────────────┴──────────┘
//                           ▲ packetStart        ▲ payloadStart ▲ payloadEnd

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
  /** `token` is the message's; `reason` an MQTT 5 PUBACK reason code: 0x00, 0x10 (no matching subscribers) or >= 0x80. */
  published(token: number, reason: number): void
}

const noBytes = new Uint8Array(0)

export class Message {
  topic: TopicName
  /** Holds the payload at `payloadStart..payloadEnd`. Never written to after the message is made. */
  buffer: Uint8Array
  payloadStart: number
  payloadEnd: number
  /**
   * Where an MQTT 3.1.1 PUBLISH packet of QoS 0, RETAIN 0, DUP 0 with this topic and payload begins in `buffer`
   * (it ends at `payloadEnd`), so that it can be forwarded as it was read; -1 if there is none.
   */
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

  /** Encodings that gateways share between subscribers; each is made by the first that needs it. */
  mqtt3: Uint8Array | null
  mqtt3Start: number
  mqtt3End: number
  mqtt5: Uint8Array | null
  mqtt5Start: number
  mqtt5End: number
  json: Uint8Array | null

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
    this.packetStart = -1
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
    this.mqtt3 = null
    this.mqtt3Start = 0
    this.mqtt3End = 0
    this.mqtt5 = null
    this.mqtt5Start = 0
    this.mqtt5End = 0
    this.json = null
  }

  /** A view of the payload; shares memory with `buffer`. */
  payload(): Uint8Array {
    return this.buffer.subarray(this.payloadStart, this.payloadEnd)
  }

  /** A message with an empty payload and RETAIN set clears what is retained. */
  get isEmpty(): boolean {
    return this.payloadStart === this.payloadEnd
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
