// What is not hot, decoded and encoded with mqtt-packet: one packet at a time,
// whole, and judged beforehand (see check.ts).
import {
  generate,
  type IConnackPacket,
  type IDisconnectPacket,
  type ISubscribePacket,
  type IUnsubscribePacket,
  type Packet,
  parser,
  writeToStream
} from 'mqtt-packet'
import type { Version } from './decode.ts'

// Else mqtt-packet keeps 65,536 Buffers, one for each packet id: 6 MB for what is not hot here.
writeToStream.cacheNumbers = false

export type SubscribePacket = ISubscribePacket
export type UnsubscribePacket = IUnsubscribePacket
export type DisconnectPacket = IDisconnectPacket
export type ConnackProperties = NonNullable<IConnackPacket['properties']>

/** Decodes one whole packet, fixed header included; null if mqtt-packet refuses it. */
export function parsePacket(bytes: Buffer, version: Version): Packet | null {
  let packet: Packet | null = null
  let failed = false
  const parsing = parser({ protocolVersion: version })
  parsing.on('packet', parsed => {
    packet = parsed
  })
  parsing.on('error', () => {
    failed = true
  })
  try {
    if (parsing.parse(bytes) !== 0) return null
  } catch {
    return null
  }
  return failed ? null : packet
}

/** By return code. */
const connacks3 = Array.from({ length: 6 }, (_, code) => Buffer.from([0x20, 2, 0, code]))
const connackPresent3 = Buffer.from([0x20, 2, 1, 0])

/** CONNACK of 3.1.1 with a return code, 0..5; `present` (code 0 only): there was a session. The bytes are shared. */
export function encodeConnack3(code: number, present = false): Buffer {
  return present ? connackPresent3 : connacks3[code]!
}

/** CONNACK of v5. */
export function encodeConnack5(reason: number, properties: ConnackProperties, present = false): Buffer {
  const packet: Packet = { cmd: 'connack', reasonCode: reason, sessionPresent: present, properties }
  return generate(packet, { protocolVersion: 5 })
}

/** SUBACK with a code for each filter. */
export function encodeSuback(messageId: number, granted: number[], version: Version): Buffer {
  return generate({ cmd: 'suback', messageId, granted }, { protocolVersion: version })
}

/** UNSUBACK; v5 carries a code for each filter. */
export function encodeUnsuback(messageId: number, granted: number[], version: Version): Buffer {
  return generate({ cmd: 'unsuback', messageId, granted }, { protocolVersion: version })
}

/** DISCONNECT of v5 with a reason. */
export function encodeDisconnect(reason: number): Buffer {
  return generate({ cmd: 'disconnect', reasonCode: reason }, { protocolVersion: 5 })
}
