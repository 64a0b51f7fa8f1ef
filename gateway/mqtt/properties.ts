// Walks a block of MQTT 5 properties and judges it: which may stand in this packet, each once, each
// whole, each in its range. Nothing is decoded: what is forwarded is forwarded as the bytes it is.
// Source: MQTT 5.0, 2.2.2 and table 2-4.
import { MALFORMED_PACKET, PROTOCOL_ERROR, SUCCESS, TOPIC_ALIAS_INVALID } from './reason-codes.ts'
import { hasWildcard, isString } from './utf8.ts'

const BOOLEAN = 2
const TWO = 3
const TWO_NOT_ZERO = 4
const FOUR = 5
const FOUR_NOT_ZERO = 6
const VARIABLE_NOT_ZERO = 7
const STRING = 8
const PAIR = 9
const BINARY = 10

/** Where a property may stand, one bit a packet. */
export const IN_CONNECT = 1
export const IN_WILL = 2
export const IN_PUBLISH = 4
export const IN_PUBACK = 8
export const IN_SUBSCRIBE = 16
export const IN_UNSUBSCRIBE = 32
export const IN_DISCONNECT = 64

export const SESSION_EXPIRY = 0x11
export const AUTHENTICATION_METHOD = 0x15
export const AUTHENTICATION_DATA = 0x16
export const RECEIVE_MAXIMUM = 0x21
export const MAXIMUM_PACKET_SIZE = 0x27
export const TOPIC_ALIAS = 0x23
export const USER_PROPERTY = 0x26
export const WILL_DELAY = 0x18
const RESPONSE_TOPIC = 0x08

/** type << 8 | packets, by identifier; 0 where there is none. Only what a client may send. */
const table = new Uint16Array(128)
table[0x01] = (BOOLEAN << 8) | IN_PUBLISH | IN_WILL // payload format indicator
table[0x02] = (FOUR << 8) | IN_PUBLISH | IN_WILL // message expiry interval
table[0x03] = (STRING << 8) | IN_PUBLISH | IN_WILL // content type
table[RESPONSE_TOPIC] = (STRING << 8) | IN_PUBLISH | IN_WILL
table[0x09] = (BINARY << 8) | IN_PUBLISH | IN_WILL // correlation data
table[0x0b] = (VARIABLE_NOT_ZERO << 8) | IN_SUBSCRIBE // subscription identifier
table[SESSION_EXPIRY] = (FOUR << 8) | IN_CONNECT | IN_DISCONNECT // session expiry interval
table[AUTHENTICATION_METHOD] = (STRING << 8) | IN_CONNECT
table[AUTHENTICATION_DATA] = (BINARY << 8) | IN_CONNECT
table[0x17] = (BOOLEAN << 8) | IN_CONNECT // request problem information
table[WILL_DELAY] = (FOUR << 8) | IN_WILL
table[0x19] = (BOOLEAN << 8) | IN_CONNECT // request response information
table[0x1f] = (STRING << 8) | IN_PUBACK | IN_DISCONNECT // reason string
table[RECEIVE_MAXIMUM] = (TWO_NOT_ZERO << 8) | IN_CONNECT
table[0x22] = (TWO << 8) | IN_CONNECT // topic alias maximum
table[TOPIC_ALIAS] = (TWO << 8) | IN_PUBLISH
table[USER_PROPERTY] =
  (PAIR << 8) | IN_CONNECT | IN_WILL | IN_PUBLISH | IN_PUBACK | IN_SUBSCRIBE | IN_UNSUBSCRIBE | IN_DISCONNECT
table[MAXIMUM_PACKET_SIZE] = (FOUR_NOT_ZERO << 8) | IN_CONNECT

/**
 * Judges the properties at `start..end` (their length already read) for a packet, one of `IN_*`. SUCCESS, or the
 * reason to refuse: MALFORMED_PACKET for an unknown identifier or a value cut short, PROTOCOL_ERROR for a property
 * that stands twice, in the wrong packet, or out of range, TOPIC_ALIAS_INVALID for any topic alias (none is offered).
 */
export function checkProperties(buffer: Uint8Array, start: number, end: number, packet: number): number {
  let seenLow = 0
  let seenHigh = 0
  let at = start
  while (at < end) {
    // Every identifier there is takes one byte; the encoding is a variable byte integer.
    const id = buffer[at++]!
    const entry = id < 128 ? table[id]! : 0
    if (entry === 0) return isServerOnly(id) ? PROTOCOL_ERROR : MALFORMED_PACKET
    if ((entry & packet) === 0) return PROTOCOL_ERROR
    if (id !== USER_PROPERTY) {
      const bit = 1 << (id & 31)
      if (id < 32) {
        if ((seenLow & bit) !== 0) return PROTOCOL_ERROR
        seenLow |= bit
      } else {
        if ((seenHigh & bit) !== 0) return PROTOCOL_ERROR
        seenHigh |= bit
      }
    }
    if (id === TOPIC_ALIAS) return at + 2 > end ? MALFORMED_PACKET : TOPIC_ALIAS_INVALID
    const next = skipValue(buffer, at, end, entry >> 8)
    if (next < 0) return -next
    if (id === RESPONSE_TOPIC && hasWildcard(buffer, at + 2, next)) return PROTOCOL_ERROR // [MQTT-3.3.2-14]
    at = next
  }
  return SUCCESS
}

/** Where the value that begins at `at` ends; the negative of a reason if it is not one. */
function skipValue(buffer: Uint8Array, at: number, end: number, type: number): number {
  switch (type) {
    case BOOLEAN:
      if (at + 1 > end) return -MALFORMED_PACKET
      return buffer[at]! > 1 ? -PROTOCOL_ERROR : at + 1
    case TWO:
      return at + 2 > end ? -MALFORMED_PACKET : at + 2
    case TWO_NOT_ZERO:
      if (at + 2 > end) return -MALFORMED_PACKET
      return (buffer[at]! | buffer[at + 1]!) === 0 ? -PROTOCOL_ERROR : at + 2
    case FOUR:
      return at + 4 > end ? -MALFORMED_PACKET : at + 4
    case FOUR_NOT_ZERO:
      if (at + 4 > end) return -MALFORMED_PACKET
      return (buffer[at]! | buffer[at + 1]! | buffer[at + 2]! | buffer[at + 3]!) === 0
        ? -PROTOCOL_ERROR
        : at + 4
    case VARIABLE_NOT_ZERO: {
      const length = variableBytes(buffer, at, end)
      if (length === 0) return -MALFORMED_PACKET
      return length === 1 && buffer[at] === 0 ? -PROTOCOL_ERROR : at + length
    }
    case STRING:
      return skipString(buffer, at, end)
    case PAIR: {
      const value = skipString(buffer, at, end)
      return value < 0 ? value : skipString(buffer, value, end)
    }
    default: {
      if (at + 2 > end) return -MALFORMED_PACKET
      const next = at + 2 + ((buffer[at]! << 8) | buffer[at + 1]!)
      return next > end ? -MALFORMED_PACKET : next
    }
  }
}

function skipString(buffer: Uint8Array, at: number, end: number): number {
  if (at + 2 > end) return -MALFORMED_PACKET
  const next = at + 2 + ((buffer[at]! << 8) | buffer[at + 1]!)
  return next > end || !isString(buffer, at + 2, next) ? -MALFORMED_PACKET : next
}

/** How many bytes the variable byte integer at `at` takes; 0 if it is cut short, too long, or not minimal. [MQTT-1.5.5-1] */
export function variableBytes(buffer: Uint8Array, at: number, end: number): number {
  for (let i = 0; i < 4 && at + i < end; i++) {
    const byte = buffer[at + i]!
    if (byte < 0x80) return i > 0 && byte === 0 ? 0 : i + 1
  }
  return 0
}

/** The value of a variable byte integer of `bytes` bytes. */
export function variableValue(buffer: Uint8Array, at: number, bytes: number): number {
  let value = 0
  for (let i = bytes - 1; i >= 0; i--) value = value * 128 + (buffer[at + i]! & 0x7f)
  return value
}

/** Whether a valid block has a property. */
export function hasProperty(block: Uint8Array, id: number): boolean {
  return placeOf(block, id) >= 0
}

/** The number of one, two or four bytes that a property of a valid block has; `fallback` if it is not there. */
export function numberOf(block: Uint8Array, id: number, fallback: number): number {
  const at = placeOf(block, id)
  if (at < 0) return fallback
  const end = skipValue(block, at, block.length, table[id]! >> 8)
  let value = 0
  for (let i = at; i < end; i++) value = value * 256 + block[i]!
  return value
}

/** Where the value of a property begins in a valid block; -1 if it is not there. */
function placeOf(block: Uint8Array, id: number): number {
  let at = 0
  while (at < block.length) {
    if (block[at] === id) return at + 1
    at = skipValue(block, at + 1, block.length, table[block[at]!]! >> 8)
  }
  return -1
}

/** A copy of a valid block without one property (which is not the user property). */
export function withoutProperty(buffer: Uint8Array, start: number, end: number, without: number): Uint8Array {
  let at = start
  while (at < end) {
    const id = buffer[at]!
    const next = skipValue(buffer, at + 1, end, table[id]! >> 8)
    if (id === without) {
      return Buffer.concat([buffer.subarray(start, at), buffer.subarray(next, end)])
    }
    at = next
  }
  return Uint8Array.from(buffer.subarray(start, end))
}

function isServerOnly(id: number): boolean {
  switch (id) {
    case 0x12: // assigned client identifier
    case 0x13: // server keep alive
    case 0x1a: // response information
    case 0x1c: // server reference
    case 0x24: // maximum QoS
    case 0x25: // retain available
    case 0x28: // wildcard subscription available
    case 0x29: // subscription identifiers available
    case 0x2a: // shared subscription available
      return true
    default:
      return false
  }
}
