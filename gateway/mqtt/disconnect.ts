// DISCONNECT from a client: goodbye without a will, or (v5, any reason but 0x00) with it.
// Source: MQTT 5.0, 3.14; MQTT 3.1.1, 3.14.
import { checkDisconnect } from './check.ts'
import type { Connection } from './connection.ts'
import { type DisconnectPacket, parsePacket } from './control-packets.ts'
import { MALFORMED_PACKET, PROTOCOL_ERROR, SUCCESS } from './reason-codes.ts'

export function onDisconnect(
  connection: Connection,
  chunk: Buffer,
  at: number,
  start: number,
  end: number
): void {
  const { version } = connection
  const fault = checkDisconnect(chunk, start, end, version)
  if (fault !== SUCCESS) return connection.refuse(fault)
  if (start === end) return connection.leave(true) // [MQTT-3.14.4-3]
  // mqtt-packet wants the length of the properties even where it may be left out.
  if (end - start === 1) return connection.leave(chunk[start] === SUCCESS)
  const packet = parsePacket(chunk.subarray(at, end), version) as DisconnectPacket | null
  if (packet === null) return connection.refuse(MALFORMED_PACKET)
  const expirySeconds = packet.properties?.sessionExpiryInterval ?? null
  // [MQTT-3.14.2-2]
  const mayNotExpire = (connection.session?.attachment?.expirySeconds ?? 0) === 0
  if (mayNotExpire && (expirySeconds ?? 0) > 0) return connection.refuse(PROTOCOL_ERROR)
  connection.leave(packet.reasonCode === SUCCESS, expirySeconds)
}
