// Judges the packets that mqtt-packet decodes, before it sees them: structure, flags, strings and
// properties. mqtt-packet is lenient; what passes here it reads without guessing.
// Source: MQTT 5.0, 3.8, 3.10, 3.14; MQTT 3.1.1 likewise.
import type { Version } from './decode.ts'
import { Fields } from './fields.ts'
import { IN_DISCONNECT, IN_SUBSCRIBE, IN_UNSUBSCRIBE } from './properties.ts'
import { CLIENT_DISCONNECTS, MALFORMED_PACKET, PROTOCOL_ERROR, SUCCESS } from './reason-codes.ts'

/** Judges a SUBSCRIBE whose rest is `start..end`. */
export function checkSubscribe(buffer: Buffer, start: number, end: number, version: Version): number {
  const fields = new Fields(buffer, start, end)
  if (fields.two() === 0) fields.refuse(PROTOCOL_ERROR) // [MQTT-2.2.1-3]
  if (version === 5) fields.properties(IN_SUBSCRIBE)
  if (fields.done) fields.refuse(PROTOCOL_ERROR) // no filter: [MQTT-3.8.3-2] (3.1.1: [MQTT-3.8.3-3])
  while (!fields.done) {
    fields.string() // [MQTT-3.8.3-1]
    const { from, at } = fields
    const options = fields.byte()
    if ((options & 3) === 3) fields.refuse(PROTOCOL_ERROR) // 3.1.1: [MQTT-3.8.3-4]
    if (version === 4) {
      if ((options & 0xfc) !== 0) fields.refuse(MALFORMED_PACKET) // 3.1.1: [MQTT-3.8.3-4]
    } else {
      if ((options & 0xc0) !== 0) fields.refuse(MALFORMED_PACKET) // [MQTT-3.8.3-5]
      if ((options & 0x30) === 0x30) fields.refuse(PROTOCOL_ERROR)
      if ((options & 4) !== 0 && isShared(buffer, from, at)) fields.refuse(PROTOCOL_ERROR) // [MQTT-3.8.3-4]
    }
  }
  return fields.finish()
}

/** Judges an UNSUBSCRIBE whose rest is `start..end`. */
export function checkUnsubscribe(buffer: Buffer, start: number, end: number, version: Version): number {
  const fields = new Fields(buffer, start, end)
  if (fields.two() === 0) fields.refuse(PROTOCOL_ERROR) // [MQTT-2.2.1-3]
  if (version === 5) fields.properties(IN_UNSUBSCRIBE)
  if (fields.done) fields.refuse(PROTOCOL_ERROR) // [MQTT-3.10.3-2]
  while (!fields.done) fields.string() // [MQTT-3.10.3-1]
  return fields.finish()
}

/** Judges a DISCONNECT whose rest is `start..end`. */
export function checkDisconnect(buffer: Buffer, start: number, end: number, version: Version): number {
  if (start === end) return SUCCESS
  if (version === 4) return MALFORMED_PACKET
  const fields = new Fields(buffer, start, end)
  if (!CLIENT_DISCONNECTS.has(fields.byte())) return PROTOCOL_ERROR // [MQTT-3.14.2-1]
  if (fields.at < end) fields.properties(IN_DISCONNECT)
  return fields.finish()
}

const SHARE = '$share/'

function isShared(buffer: Buffer, start: number, end: number): boolean {
  return buffer.toString('latin1', start, Math.min(end, start + SHARE.length)) === SHARE
}
