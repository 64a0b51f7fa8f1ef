// The packets a load client sends: the rare ones through mqtt-packet, PUBLISH laid out once in a ring
// of ready packets, in which only sequence, time and packet id are patched before each write.
// Source: MQTT 3.1.1 and 5.0, section 3.
import { Buffer } from 'node:buffer'
import { generate } from 'mqtt-packet'
import { type PublishRing, PublishSlab, type Qos } from '../client.ts'
import {
  SENT_AT,
  SEQUENCE_AT,
  STREAM_AT,
  type StampKind,
  TEXT_SENT_AT,
  TEXT_SEQUENCE_AT,
  writeLetters,
  writeTimeLetters
} from '../stamp.ts'

export type ProtocolVersion = 4 | 5

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

/** What all publishes of a run have in common. */
export interface PublishShape {
  payloadBytes: number
  qos: Qos
  version: ProtocolVersion
  /** Publishes a write at most. */
  batch: number
  stamp: StampKind
}

export class MqttPublishRing implements PublishRing {
  readonly length: number
  readonly #slab: PublishSlab
  readonly #shape: PublishShape
  /** From the end of the packet id to the payload. */
  readonly #idGap: number

  constructor(topics: readonly string[], firstStream: number, shape: PublishShape) {
    const payload = new Uint8Array(shape.payloadBytes).fill(0x2e)
    const view = new DataView(payload.buffer)
    this.#slab = new PublishSlab(topics.length, shape.batch, topic => {
      if (shape.stamp === 'text') writeLetters(payload, STREAM_AT, firstStream + topic)
      else view.setUint32(STREAM_AT, firstStream + topic, true)
      return publishPacket(topics[topic]!, payload, shape.qos, shape.version)
    })
    this.length = this.#slab.length
    this.#shape = shape
    this.#idGap = shape.version === 5 ? 3 : 2
  }

  stamp(place: number, message: number, sequence: number, sentUs: number): void {
    const { bytes, view } = this.#slab
    const { payloadBytes, qos, stamp } = this.#shape
    const payload = this.#slab.end(place) - payloadBytes
    if (stamp === 'text') {
      writeLetters(bytes, payload + TEXT_SEQUENCE_AT, sequence)
      writeTimeLetters(bytes, payload + TEXT_SENT_AT, Math.floor(sentUs))
    } else {
      view.setUint32(payload + SEQUENCE_AT, sequence, true)
      view.setFloat64(payload + SENT_AT, sentUs, true)
    }
    if (qos > 0) view.setUint16(payload - this.#idGap, (message % 65_535) + 1)
  }

  slice(place: number, count: number): Buffer {
    return this.#slab.slice(place, count)
  }
}
