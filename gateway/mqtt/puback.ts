// PUBACK from a client: deliveries of QoS 1 have arrived, and others may go. Clients acknowledge many at once.
// Source: MQTT 5.0, 3.4; MQTT 3.1.1 likewise.
import type { Connection } from './connection.ts'
import { checkPuback, packetId } from './decode.ts'
import { PROTOCOL_ERROR, SUCCESS } from './reason-codes.ts'

const PUBACK = 0x40
/** A PUBACK of nothing but its id. */
const SHORT_BYTES = 4

/**
 * A whole PUBACK, its rest `start..end`, and with it the short ones that lie behind it before `limit`. Returns where the
 * next packet begins.
 */
export function onPuback(
  connection: Connection,
  chunk: Buffer,
  start: number,
  end: number,
  limit: number
): number {
  const { deliveries, session } = connection
  if (session !== null) return onPubackOfSession(connection, chunk, start, end)
  let reason = checkPuback(chunk, start, end, connection.version)
  if (reason === SUCCESS) {
    let mayGoOn = deliveries.acknowledge(packetId(chunk, start))
    while (limit - end >= SHORT_BYTES && chunk[end] === PUBACK && chunk[end + 1] === 2) {
      const id = packetId(chunk, end + 2)
      if (id === 0) {
        reason = PROTOCOL_ERROR
        break
      }
      if (deliveries.acknowledge(id)) mayGoOn = true
      end += SHORT_BYTES
    }
    if (mayGoOn) connection.drain()
  }
  if (reason !== SUCCESS) connection.refuse(reason)
  return end
}

function onPubackOfSession(connection: Connection, chunk: Buffer, start: number, end: number): number {
  const reason = checkPuback(chunk, start, end, connection.version)
  if (reason === SUCCESS) connection.session?.attachment?.acknowledged(packetId(chunk, start))
  else connection.refuse(reason)
  return end
}
