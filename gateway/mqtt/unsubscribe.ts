// UNSUBSCRIBE: takes its turn behind the SUBSCRIBEs before it, and is answered at once.
// Source: MQTT 5.0, 3.10 and 3.11; MQTT 3.1.1 likewise.
import { checkUnsubscribe } from './check.ts'
import type { Connection } from './connection.ts'
import { encodeUnsuback, parsePacket, type UnsubscribePacket } from './control-packets.ts'
import { MALFORMED_PACKET, NO_SUBSCRIPTION_EXISTED, SUCCESS } from './reason-codes.ts'
import { OPEN } from './state.ts'

export function onUnsubscribe(
  connection: Connection,
  chunk: Buffer,
  at: number,
  start: number,
  end: number
): void {
  const fault = checkUnsubscribe(chunk, start, end, connection.version)
  if (fault !== SUCCESS) return connection.refuse(fault)
  const packet = parsePacket(chunk.subarray(at, end), connection.version) as UnsubscribePacket | null
  if (packet === null) return connection.refuse(MALFORMED_PACKET)
  connection.enqueue(async () => unsubscribe(connection, packet))
}

function unsubscribe(connection: Connection, packet: UnsubscribePacket): void {
  if (connection.state !== OPEN) return
  const { broker } = connection.gateway
  const codes = packet.unsubscriptions.map(filter => {
    // A filter that was never valid has no subscription either.
    if (connection.filters?.delete(filter) !== true) return NO_SUBSCRIPTION_EXISTED
    return broker.unsubscribe(connection, filter) ? SUCCESS : NO_SUBSCRIPTION_EXISTED
  })
  connection.send(encodeUnsuback(packet.messageId!, codes, connection.version)) // [MQTT-3.10.4-4], [MQTT-3.10.4-5]
}
