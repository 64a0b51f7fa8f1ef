// One timer for all connections: finds clients that have said nothing for one and a half times their
// keep-alive, connections that never became a client, and sockets that take nothing.
// Source: MQTT 5.0, 3.1.2.10; MQTT 3.1.1, 3.1.2.10.
import type { Connection } from './connection.ts'
import type { MqttGateway } from './gateway.ts'
import { KEEP_ALIVE_TIMEOUT } from './reason-codes.ts'
import { CLOSED, OPEN } from './state.ts'

/** Times below are kept this much too long at most, and never too short. */
export const SWEEP_MS = 500
/** A silent client is given half a keep-alive more. [MQTT-3.1.2-22] (3.1.1: [MQTT-3.1.2-24]) */
const GRACE = 1.5

/** Looks at every connection. */
export function sweep(gateway: MqttGateway): void {
  const now = gateway.broker.clock.now()
  for (const connection of gateway.connections) {
    if (connection.state === CLOSED) {
      if (now - connection.closedAt >= gateway.options.lingerMs) connection.destroy()
    } else if (connection.state === OPEN) {
      sweepOpen(connection, now)
    } else if (now - connection.heardAt >= gateway.options.connectTimeoutMs) {
      gateway.counters.timedOut++
      connection.destroy()
    }
  }
}

function sweepOpen(connection: Connection, now: number): void {
  const { gateway } = connection
  if (connection.transport.writable) connection.stalledAt = -1
  else if (connection.stalledAt < 0) connection.stalledAt = now
  else if (now - connection.stalledAt >= gateway.options.stallTimeoutMs) {
    gateway.counters.timedOut++
    gateway.broker.log.info({ client: connection.clientId }, 'client takes no output')
    return connection.destroy()
  }
  // A client that is not read cannot be heard.
  if (connection.heard || connection.input.blocked !== 0) {
    connection.heard = false
    connection.heardAt = now
  } else if (connection.keepAliveMs > 0 && now - connection.heardAt >= connection.keepAliveMs * GRACE) {
    gateway.counters.timedOut++
    gateway.broker.log.info({ client: connection.clientId }, 'keep-alive timeout')
    connection.close(KEEP_ALIVE_TIMEOUT)
  }
}
