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
  const { session } = connection
  connection.enqueue(async () => {
    if (session === null) unsubscribe(connection, packet)
    else await unsubscribeSession(connection, packet)
  })
}

async function unsubscribeSession(connection: Connection, packet: UnsubscribePacket): Promise<void> {
  const { session, version } = connection
  if (connection.state !== OPEN) return
  const existed = await session!.attachment!.unsubscribe(packet.unsubscriptions).catch(() => null)
  // The connection is over, or is about to be.
  if (existed === null || connection.state !== OPEN) return
  const codes = existed.map(each => (each ? SUCCESS : NO_SUBSCRIPTION_EXISTED))
  connection.send(encodeUnsuback(packet.messageId!, codes, version))
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
