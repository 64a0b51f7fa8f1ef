// CONNECT, decoded by hand: every client begins with one, and after an outage all of them at once. What it
// means is judged elsewhere (connect.ts); here only whether it is one.
//
//   ┌────────┬───────┬───────┬────────────┬────────────┬───────────┬──────────────────────┬──────┬──────────┐
//   │ "MQTT" │ level │ flags │ keep-alive │ properties │ client id │ will                 │ user │ password │
//   │        │ 4, 5  │       │ 2, seconds │ v5 only    │           │ properties (v5),     │ name │          │
//   │        │       │       │            │            │           │ topic, payload       │      │          │
//   └────────┴───────┴───────┴────────────┴────────────┴───────────┴──────────────────────┴──────┴──────────┘
//
// Source: MQTT 5.0, 3.1; MQTT 3.1.1, 3.1.
import type { Version } from './decode.ts'
import { Fields } from './fields.ts'
import { IN_CONNECT, IN_WILL, numberOf, WILL_DELAY, withoutProperty } from './properties.ts'
import { MALFORMED_PACKET, SUCCESS, UNSUPPORTED_VERSION } from './reason-codes.ts'

const RESERVED_FLAG = 0x01
const CLEAN_FLAG = 0x02
const WILL_FLAG = 0x04
const WILL_QOS_FLAGS = 0x18
const WILL_RETAIN_FLAG = 0x20
const PASSWORD_FLAG = 0x40
const USERNAME_FLAG = 0x80

const nothing = Buffer.alloc(0)

/** A CONNECT that is well formed. Nothing in it is a view of the chunk that it came in. */
export interface ConnectPacket {
  readonly version: Version
  /** 3.1.1: Clean Session; v5: Clean Start. */
  readonly clean: boolean
  /** 0: none. */
  readonly keepAliveSeconds: number
  /** v5, encoded and valid (see properties.ts); empty if there are none. */
  readonly properties: Uint8Array
  /** May be empty. */
  readonly clientId: string
  readonly will: WillPacket | null
  readonly username: string | null
  readonly password: Buffer | null
}

export interface WillPacket {
  /** A string, but perhaps no topic. */
  readonly topic: string
  readonly payload: Buffer
  readonly qos: 0 | 1 | 2
  readonly retain: boolean
  /** v5, encoded, as the will's message carries them: without the delay; null if there are none. */
  readonly properties: Uint8Array | null
  /** v5: how long it is to wait; 0: not at all. */
  readonly delaySeconds: number
}

export interface ConnectReading {
  /** SUCCESS, or why there is no packet. */
  readonly reason: number
  /** What the answer is to be written in; null when the client speaks something else. */
  readonly version: Version | null
  readonly packet: ConnectPacket | null
}

/** Reads a CONNECT whose rest is `start..end`. */
export function readConnect(buffer: Buffer, start: number, end: number): ConnectReading {
  const fields = new Fields(buffer, start, end)
  fields.binary()
  const name = buffer.toString('latin1', fields.from, fields.at)
  const level = fields.byte()
  if (fields.reason !== SUCCESS) return refused(MALFORMED_PACKET, null)
  if (name === 'MQIsdp' && level === 3) return refused(UNSUPPORTED_VERSION, 4)
  if (name !== 'MQTT') return refused(UNSUPPORTED_VERSION, null) // [MQTT-3.1.2-1]
  // [MQTT-3.1.2-2]
  if (level !== 4 && level !== 5) return refused(UNSUPPORTED_VERSION, level > 5 && level < 128 ? 5 : 4)

  const flags = checkedFlags(fields, level)
  const keepAliveSeconds = fields.two()
  if (level === 5) fields.properties(IN_CONNECT)
  const properties = level === 4 || fields.from === fields.at ? nothing : fields.copy()
  fields.string() // [MQTT-3.1.3-4]
  const clientId = fields.text()
  const will = (flags & WILL_FLAG) === 0 ? null : readWill(fields, flags, level)
  let username: string | null = null
  if ((flags & USERNAME_FLAG) !== 0) {
    fields.string() // [MQTT-3.1.3-12]
    username = fields.text()
  }
  let password: Buffer | null = null
  if ((flags & PASSWORD_FLAG) !== 0) {
    fields.binary()
    password = fields.copy()
  }
  const reason = fields.finish()
  if (reason !== SUCCESS) return refused(reason, level)
  const clean = (flags & CLEAN_FLAG) !== 0
  const packet = {
    version: level,
    clean,
    keepAliveSeconds,
    properties,
    clientId,
    will,
    username,
    password
  } as const
  return { reason, version: level, packet }
}

function checkedFlags(fields: Fields, version: Version): number {
  const flags = fields.byte()
  const willFlags = flags & (WILL_QOS_FLAGS | WILL_RETAIN_FLAG)
  if ((flags & RESERVED_FLAG) !== 0) fields.refuse(MALFORMED_PACKET) // [MQTT-3.1.2-3]
  if ((flags & WILL_QOS_FLAGS) === WILL_QOS_FLAGS) fields.refuse(MALFORMED_PACKET) // [MQTT-3.1.2-12] (3.1.1: [MQTT-3.1.2-14])
  if ((flags & WILL_FLAG) === 0 && willFlags !== 0) fields.refuse(MALFORMED_PACKET) // [MQTT-3.1.2-11], [MQTT-3.1.2-13]
  // 3.1.1: [MQTT-3.1.2-22]
  if (version === 4 && (flags & (USERNAME_FLAG | PASSWORD_FLAG)) === PASSWORD_FLAG) {
    fields.refuse(MALFORMED_PACKET)
  }
  return flags
}

function readWill(fields: Fields, flags: number, version: Version): WillPacket {
  let properties: Uint8Array | null = null
  let delaySeconds = 0
  if (version === 5) {
    fields.properties(IN_WILL)
    if (fields.reason === SUCCESS && fields.from < fields.at) {
      properties = withoutProperty(fields.buffer, fields.from, fields.at, WILL_DELAY)
      delaySeconds = numberOf(fields.buffer.subarray(fields.from, fields.at), WILL_DELAY, 0)
    }
  }
  fields.string() // [MQTT-3.1.3-11]
  const topic = fields.text()
  fields.binary()
  const payload = fields.copy()
  const qos = ((flags & WILL_QOS_FLAGS) >> 3) as 0 | 1 | 2
  return { topic, payload, qos, retain: (flags & WILL_RETAIN_FLAG) !== 0, properties, delaySeconds }
}

function refused(reason: number, version: Version | null): ConnectReading {
  return { reason, version, packet: null }
}
