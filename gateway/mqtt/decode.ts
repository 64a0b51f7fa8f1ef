// Reads the hot packets, PUBLISH and PUBACK, in place from the chunk they arrived in: positions, no copies.
//
//   ┌──────┬──────────┬────────┬─────────┬────────────┬──────────────────┬─────────┐
//   │flags │remaining │ length │ topic   │ id (QoS>0) │ length properties│ payload │
//   │      │length    │ 2      │         │ 2          │ v5 only          │         │
//   └──────┴──────────┴────────┴─────────┴────────────┴──────────────────┴─────────┘
//                     ▲ start           ▲ topicEnd                       ▲ payloadStart  ▲ end
//
// Source: MQTT 5.0, 2.1, 3.3 and 3.4; MQTT 3.1.1, 2.2, 3.3 and 3.4.
import { checkProperties, IN_PUBACK, IN_PUBLISH, variableBytes, variableValue } from './properties.ts'
import { IDENTIFIER_NOT_FOUND, MALFORMED_PACKET, PROTOCOL_ERROR, SUCCESS } from './reason-codes.ts'

/** A version as CONNECT's protocol level says it. */
export type Version = 4 | 5

/** A fixed header: how much follows it, and where. Reused from packet to packet. */
export class Header {
  /** Where the rest of the packet begins, and where the packet ends. */
  start = 0
  end = 0
  /** False if the length took more bytes than it must. */
  minimal = true

  /**
   * Reads the header of the packet at `at`, of which `end` bytes have arrived: 1, 0 if the length has not arrived
   * yet, -1 if it is longer than four bytes. The packet's own bytes may still be missing.
   */
  read(buffer: Uint8Array, at: number, end: number): number {
    let length = 0
    let shift = 0
    let next = at + 1
    while (next < end) {
      const byte = buffer[next++]!
      length |= (byte & 0x7f) << shift
      if (byte < 0x80) {
        this.minimal = byte !== 0 || shift === 0
        this.start = next
        this.end = next + length
        return 1
      }
      shift += 7
      if (shift === 28) return -1
    }
    return 0
  }
}

/** Positions of a PUBLISH in its chunk. Reused from packet to packet. */
export class PublishView {
  qos = 0
  dup = false
  retain = false
  topicStart = 0
  topicEnd = 0
  /** 0 at QoS 0. */
  id = 0
  /** Equal if there are no properties. */
  propertiesStart = 0
  propertiesEnd = 0
  payloadStart = 0
  end = 0

  /**
   * Reads the PUBLISH whose first byte is `first` and whose rest is `start..end`, whole. SUCCESS, or the v5 reason to
   * refuse it; the topic's own bytes are not looked at (see topic-cache.ts).
   */
  read(buffer: Uint8Array, first: number, start: number, end: number, version: Version): number {
    const qos = (first >> 1) & 3
    if (qos === 3) return MALFORMED_PACKET // [MQTT-3.3.1-4]
    this.qos = qos
    this.dup = (first & 8) !== 0
    if (qos === 0 && this.dup) return MALFORMED_PACKET // [MQTT-3.3.1-2]
    this.retain = (first & 1) !== 0
    if (start + 2 > end) return MALFORMED_PACKET
    this.topicStart = start + 2
    let at = start + 2 + ((buffer[start]! << 8) | buffer[start + 1]!)
    if (at > end) return MALFORMED_PACKET
    this.topicEnd = at
    // An empty topic needs a topic alias, and none is offered.
    if (at === start + 2) return PROTOCOL_ERROR // [MQTT-4.7.3-1], MQTT 5.0, 3.3.2.1
    this.id = 0
    if (qos > 0) {
      if (at + 2 > end) return MALFORMED_PACKET
      this.id = (buffer[at]! << 8) | buffer[at + 1]!
      if (this.id === 0) return PROTOCOL_ERROR // [MQTT-2.2.1-3] (3.1.1: [MQTT-2.3.1-1])
      at += 2
    }
    if (version === 5) {
      if (at >= end) return MALFORMED_PACKET
      let length = buffer[at]!
      if (length < 0x80) at++
      else {
        const bytes = variableBytes(buffer, at, end)
        if (bytes === 0) return MALFORMED_PACKET
        length = variableValue(buffer, at, bytes)
        at += bytes
      }
      this.propertiesStart = at
      at += length
      this.propertiesEnd = at
      if (at > end) return MALFORMED_PACKET
      if (length > 0) {
        const reason = checkProperties(buffer, this.propertiesStart, at, IN_PUBLISH)
        if (reason !== SUCCESS) return reason
      }
    } else {
      this.propertiesStart = at
      this.propertiesEnd = at
    }
    this.payloadStart = at
    this.end = end
    return SUCCESS
  }
}

/** Judges a PUBACK whose rest is `start..end`. Its packet id is then `packetId`; v5's reason is of no consequence here. */
export function checkPuback(buffer: Uint8Array, start: number, end: number, version: Version): number {
  return checkAcknowledgement(buffer, start, end, version, 'published')
}

/** Judges an acknowledgement whose rest is `start..end`: of a PUBLISH (PUBACK, PUBREC), or of its release (PUBREL, PUBCOMP). */
export function checkAcknowledgement(
  buffer: Uint8Array,
  start: number,
  end: number,
  version: Version,
  of: 'published' | 'released'
): number {
  const length = end - start
  if (length < 2 || (version === 4 && length !== 2)) return MALFORMED_PACKET
  if (packetId(buffer, start) === 0) return PROTOCOL_ERROR
  if (length === 2) return SUCCESS
  const reason = buffer[start + 2]!
  // [MQTT-3.4.2-1], [MQTT-3.5.2-1], [MQTT-3.6.2-1], [MQTT-3.7.2-1]
  const isKnown =
    of === 'published' ? isPubackReason(reason) : reason === SUCCESS || reason === IDENTIFIER_NOT_FOUND
  if (!isKnown) return MALFORMED_PACKET
  if (length === 3) return SUCCESS
  const bytes = variableBytes(buffer, start + 3, end)
  if (bytes === 0) return MALFORMED_PACKET
  const properties = start + 3 + bytes
  if (properties + variableValue(buffer, start + 3, bytes) !== end) return MALFORMED_PACKET
  return checkProperties(buffer, properties, end, IN_PUBACK)
}

/** The packet identifier at `at`. */
export function packetId(buffer: Uint8Array, at: number): number {
  return (buffer[at]! << 8) | buffer[at + 1]!
}

function isPubackReason(reason: number): boolean {
  switch (reason) {
    case 0x00:
    case 0x10:
    case 0x80:
    case 0x83:
    case 0x87:
    case 0x90:
    case 0x91:
    case 0x97:
    case 0x99:
      return true
    default:
      return false
  }
}
