// One timer for all connections: finds clients that have said nothing for one and a half times their
// keep-alive, connections that never became a client, sockets that take nothing, and memory that is not needed now.
// Source: MQTT 5.0, 3.1.2.10; MQTT 3.1.1, 3.1.2.10.
import type { Connection } from './connection.ts'
import type { MqttGateway } from './gateway.ts'
import { KEEP_ALIVE_TIMEOUT } from './reason-codes.ts'
import { CLOSED, OPEN } from './state.ts'

/** All connections are looked at once in this time. Times below are kept about so much too long, and never too short. */
const ROUND_MS = 500
/** Steps of a round: many connections stop the loop for a part of their time only. */
const STEPS = 10
export const STEP_MS = ROUND_MS / STEPS
/** A silent client is given half a keep-alive more. [MQTT-3.1.2-22] (3.1.1: [MQTT-3.1.2-24]) */
const GRACE = 1.5

/** Goes round a gateway's connections, a part of them at each step. */
export class Sweep {
  readonly #gateway: MqttGateway
  /** Where the round is; what is added meanwhile comes at its end, what is deleted is passed over. */
  #round: Iterator<Connection>
  /** Connections when the round began. */
  #size = 0

  constructor(gateway: MqttGateway) {
    this.#gateway = gateway
    this.#round = gateway.connections.values()
  }

  step(): void {
    const { connections, broker } = this.#gateway
    const now = broker.clock.now()
    for (let left = Math.ceil(Math.max(this.#size, connections.size) / STEPS); left > 0; left--) {
      const { value, done } = this.#round.next()
      if (done === true) {
        this.#round = connections.values()
        this.#size = connections.size
        return
      }
      look(value, now)
    }
  }
}

function look(connection: Connection, now: number): void {
  const { options, counters } = connection.gateway
  if (connection.state === CLOSED) {
    if (now - connection.closedAt >= options.lingerMs) connection.destroy()
  } else if (connection.state === OPEN) {
    lookAtOpen(connection, now)
  } else if (now - connection.heardAt >= options.connectTimeoutMs) {
    counters.timedOut++
    connection.destroy()
  }
}

function lookAtOpen(connection: Connection, now: number): void {
  const { gateway } = connection
  connection.deliveries.rest()
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
