// The packets a load client sends: the rare ones through mqtt-packet, PUBLISH laid out once in a ring
// of ready packets, in which only sequence, time and packet id are patched before each write.
// Source: MQTT 3.1.1 and 5.0, section 3.
import { Buffer } from 'node:buffer'
import { generate } from 'mqtt-packet'
import { SENT_AT, SEQUENCE_AT, STAMP_BYTES, STREAM_AT } from '../stamp.ts'

export type ProtocolVersion = 4 | 5
export type Qos = 0 | 1

export interface Credentials {
  username?: string | undefined
  password?: string | undefined
}

/** CONNECT: clean, without keep-alive, so that an idle connection costs its idleness only. */
export function connectPacket(clientId: string, version: ProtocolVersion, credentials: Credentials): Buffer {
  const { username, password } = credentials
  return generate({
    cmd: 'connect',
    protocolId: 'MQTT',
    protocolVersion: version,
    clientId,
    clean: true,
    keepalive: 0,
    ...(version === 5 ? { properties: { receiveMaximum: 65_535 } } : {}),
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password: Buffer.from(password) })
  })
}

export function subscribePacket(filter: string, qos: Qos, version: ProtocolVersion): Buffer {
  return generate(
    { cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: filter, qos }] },
    { protocolVersion: version }
  )
}

export function disconnectPacket(version: ProtocolVersion): Buffer {
  return generate({ cmd: 'disconnect', reasonCode: 0 }, { protocolVersion: version })
}

/** A varint as MQTT writes lengths. */
function lengthBytes(length: number): number[] {
  const bytes: number[] = []
  let rest = length
  do {
    const low = rest % 128
    rest = Math.floor(rest / 128)
    bytes.push(rest > 0 ? low + 128 : low)
  } while (rest > 0)
  return bytes
}

function publishPacket(topic: string, payload: Uint8Array, qos: Qos, version: ProtocolVersion): Buffer {
  const name = Buffer.from(topic)
  const rest = 2 + name.length + (qos === 0 ? 0 : 2) + (version === 5 ? 1 : 0) + payload.length
  return Buffer.concat([
    Buffer.from([0x30 | (qos << 1), ...lengthBytes(rest), name.length >>> 8, name.length & 0xff]),
    name,
    Buffer.alloc((qos === 0 ? 0 : 2) + (version === 5 ? 1 : 0)),
    payload
  ])
}

/** The most bytes that a PUBLISH with this topic and payload takes on the wire, without properties. */
export function publishBytesMax(topic: string, payloadBytes: number): number {
  return 5 + 2 + Buffer.byteLength(topic) + 2 + 1 + payloadBytes
}

/**
 * Ready PUBLISH packets, one after the other: `topics` in turn, at least `batch` of them, so that any
 * run up to the ring's end is one slice. Message k of the publisher lies at place k mod `length`.
 */
export class PublishRing {
  readonly length: number
  readonly #bytes: Buffer
  readonly #view: DataView
  /** Where each packet begins; one more for the end of the last. */
  readonly #starts: Uint32Array
  readonly #payloadBytes: number
  readonly #version: ProtocolVersion

  constructor(
    topics: readonly string[],
    firstStream: number,
    shape: { payloadBytes: number; qos: Qos; version: ProtocolVersion; batch: number }
  ) {
    this.length = topics.length * Math.ceil(shape.batch / topics.length)
    this.#payloadBytes = shape.payloadBytes
    this.#version = shape.version
    const payload = new Uint8Array(shape.payloadBytes).fill(0x2e, STAMP_BYTES)
    const view = new DataView(payload.buffer)
    const packets: Buffer[] = []
    this.#starts = new Uint32Array(this.length + 1)
    for (let i = 0; i < this.length; i++) {
      const topic = i % topics.length
      view.setUint32(STREAM_AT, firstStream + topic, true)
      const packet = publishPacket(topics[topic]!, payload, shape.qos, shape.version)
      packets.push(packet)
      this.#starts[i + 1] = this.#starts[i]! + packet.length
    }
    // A buffer of its own, never the shared pool: the view below covers all of it.
    this.#bytes = Buffer.from(new ArrayBuffer(this.#starts[this.length]!))
    Buffer.concat(packets).copy(this.#bytes)
    this.#view = new DataView(this.#bytes.buffer)
  }

  /** Patches the packet at `place`. A `packetId` of 0 means QoS 0. */
  stamp(place: number, sequence: number, sentUs: number, packetId: number): void {
    const payload = this.#starts[place + 1]! - this.#payloadBytes
    this.#view.setUint32(payload + SEQUENCE_AT, sequence, true)
    this.#view.setFloat64(payload + SENT_AT, sentUs, true)
    if (packetId > 0) this.#view.setUint16(payload - (this.#version === 5 ? 3 : 2), packetId)
  }

  /** The bytes of `count` packets from `place`; `place + count` is at most `length`. Not a copy. */
  slice(place: number, count: number): Buffer {
    return this.#bytes.subarray(this.#starts[place]!, this.#starts[place + count]!)
  }
}
