// Judges the packets that mqtt-packet decodes, before it sees them: structure, flags, strings and
// properties. mqtt-packet is lenient; what passes here it reads without guessing.
// Source: MQTT 5.0, 3.1, 3.8, 3.10, 3.14; MQTT 3.1.1 likewise.
import type { Version } from './decode.ts'
import {
  checkProperties,
  IN_CONNECT,
  IN_DISCONNECT,
  IN_SUBSCRIBE,
  IN_UNSUBSCRIBE,
  IN_WILL,
  variableBytes,
  variableValue,
  WILL_DELAY,
  withoutProperty
} from './properties.ts'
import {
  CLIENT_DISCONNECTS,
  MALFORMED_PACKET,
  PROTOCOL_ERROR,
  SUCCESS,
  UNSUPPORTED_VERSION
} from './reason-codes.ts'
import { isString } from './utf8.ts'

/** Goes through the fields of a packet; the first that is not there or not valid is remembered. */
class Fields {
  readonly buffer: Uint8Array
  readonly end: number
  at: number
  reason = SUCCESS

  constructor(buffer: Uint8Array, start: number, end: number) {
    this.buffer = buffer
    this.at = start
    this.end = end
  }

  get done(): boolean {
    return this.at >= this.end || this.reason !== SUCCESS
  }

  refuse(reason: number): void {
    if (this.reason === SUCCESS) this.reason = reason
  }

  /** 0 when there is none left. */
  byte(): number {
    if (this.at < this.end) return this.buffer[this.at++]!
    this.refuse(MALFORMED_PACKET)
    return 0
  }

  two(): number {
    const high = this.byte()
    return (high << 8) | this.byte()
  }

  binary(): Uint8Array {
    const length = this.two()
    const start = this.at
    if (start + length > this.end) this.refuse(MALFORMED_PACKET)
    else this.at = start + length
    return this.buffer.subarray(start, this.at)
  }

  string(): Uint8Array {
    const bytes = this.binary()
    if (!isString(bytes, 0, bytes.length)) this.refuse(MALFORMED_PACKET)
    return bytes
  }

  /** The block of properties, judged for a packet (`IN_*`). */
  properties(packet: number): Uint8Array {
    const bytes = variableBytes(this.buffer, this.at, this.end)
    const start = this.at + bytes
    const end = start + variableValue(this.buffer, this.at, bytes)
    if (bytes === 0 || end > this.end || this.reason !== SUCCESS) {
      this.refuse(MALFORMED_PACKET)
      return this.buffer.subarray(0, 0)
    }
    this.refuse(checkProperties(this.buffer, start, end, packet))
    this.at = end
    return this.buffer.subarray(start, end)
  }

  /** Refuses bytes that are left over. */
  finish(): number {
    if (this.at !== this.end) this.refuse(MALFORMED_PACKET)
    return this.reason
  }
}

export interface ConnectCheck {
  reason: number
  /** What the answer is to be written in; null when the client speaks something else. */
  version: Version | null
  /** v5: the will's properties as its message carries them: without the delay, in memory of their own. */
  willProperties: Uint8Array | null
}

/** Judges a CONNECT whose rest is `start..end`. */
export function checkConnect(buffer: Uint8Array, start: number, end: number): ConnectCheck {
  const fields = new Fields(buffer, start, end)
  const check: ConnectCheck = { reason: SUCCESS, version: null, willProperties: null }
  const name = Buffer.from(fields.binary()).toString('latin1')
  const level = fields.byte()
  if (fields.reason !== SUCCESS) return { ...check, reason: MALFORMED_PACKET }
  if (name === 'MQIsdp' && level === 3) return { ...check, version: 4, reason: UNSUPPORTED_VERSION }
  if (name !== 'MQTT') return { ...check, reason: UNSUPPORTED_VERSION } // [MQTT-3.1.2-1]
  check.version = level === 5 || (level > 5 && level < 128) ? 5 : 4
  if (level !== 4 && level !== 5) return { ...check, reason: UNSUPPORTED_VERSION } // [MQTT-3.1.2-2]

  const flags = fields.byte()
  const will = (flags & 0x04) !== 0
  const willQoS = (flags >> 3) & 3
  if ((flags & 0x01) !== 0) fields.refuse(MALFORMED_PACKET) // [MQTT-3.1.2-3]
  if (willQoS === 3) fields.refuse(MALFORMED_PACKET) // [MQTT-3.1.2-12] (3.1.1: [MQTT-3.1.2-14])
  if (!will && (flags & 0x38) !== 0) fields.refuse(MALFORMED_PACKET) // [MQTT-3.1.2-11], [MQTT-3.1.2-13]
  if (level === 4 && (flags & 0xc0) === 0x40) fields.refuse(MALFORMED_PACKET) // 3.1.1: [MQTT-3.1.2-22]
  fields.two() // keep-alive
  if (level === 5) fields.properties(IN_CONNECT)
  fields.string() // client id [MQTT-3.1.3-4]
  if (will) {
    const properties = level === 5 ? fields.properties(IN_WILL) : null
    fields.string() // will topic [MQTT-3.1.3-11]
    fields.binary() // will payload
    if (properties !== null && properties.length > 0 && fields.reason === SUCCESS) {
      check.willProperties = withoutProperty(properties, 0, properties.length, WILL_DELAY)
    }
  }
  if ((flags & 0x80) !== 0) fields.string() // user name [MQTT-3.1.3-12]
  if ((flags & 0x40) !== 0) fields.binary() // password
  check.reason = fields.finish()
  return check
}

/** Judges a SUBSCRIBE whose rest is `start..end`. */
export function checkSubscribe(buffer: Uint8Array, start: number, end: number, version: Version): number {
  const fields = new Fields(buffer, start, end)
  if (fields.two() === 0) fields.refuse(PROTOCOL_ERROR) // [MQTT-2.2.1-3]
  if (version === 5) fields.properties(IN_SUBSCRIBE)
  if (fields.done) fields.refuse(PROTOCOL_ERROR) // no filter: [MQTT-3.8.3-2] (3.1.1: [MQTT-3.8.3-3])
  while (!fields.done) {
    const filter = fields.string() // [MQTT-3.8.3-1]
    const options = fields.byte()
    if ((options & 3) === 3) fields.refuse(PROTOCOL_ERROR) // 3.1.1: [MQTT-3.8.3-4]
    if (version === 4) {
      if ((options & 0xfc) !== 0) fields.refuse(MALFORMED_PACKET) // 3.1.1: [MQTT-3.8.3-4]
    } else {
      if ((options & 0xc0) !== 0) fields.refuse(MALFORMED_PACKET) // [MQTT-3.8.3-5]
      if ((options & 0x30) === 0x30) fields.refuse(PROTOCOL_ERROR)
      if ((options & 4) !== 0 && isShared(filter)) fields.refuse(PROTOCOL_ERROR) // [MQTT-3.8.3-4]
    }
  }
  return fields.finish()
}

/** Judges an UNSUBSCRIBE whose rest is `start..end`. */
export function checkUnsubscribe(buffer: Uint8Array, start: number, end: number, version: Version): number {
  const fields = new Fields(buffer, start, end)
  if (fields.two() === 0) fields.refuse(PROTOCOL_ERROR) // [MQTT-2.2.1-3]
  if (version === 5) fields.properties(IN_UNSUBSCRIBE)
  if (fields.done) fields.refuse(PROTOCOL_ERROR) // [MQTT-3.10.3-2]
  while (!fields.done) fields.string() // [MQTT-3.10.3-1]
  return fields.finish()
}

/** Judges a DISCONNECT whose rest is `start..end`. */
export function checkDisconnect(buffer: Uint8Array, start: number, end: number, version: Version): number {
  if (start === end) return SUCCESS
  if (version === 4) return MALFORMED_PACKET
  const fields = new Fields(buffer, start, end)
  if (!CLIENT_DISCONNECTS.has(fields.byte())) return PROTOCOL_ERROR // [MQTT-3.14.2-1]
  if (fields.at < end) fields.properties(IN_DISCONNECT)
  return fields.finish()
}

const SHARE = Buffer.from('$share/')

function isShared(filter: Uint8Array): boolean {
  return SHARE.equals(filter.subarray(0, SHARE.length))
}
