// CONNECT, as a list of steps: each may refuse with a reason; when all agree the client id is claimed in
// the whole cluster, and then CONNACK is sent.
// Source: MQTT 5.0, 3.1 and 3.2; MQTT 3.1.1, 3.1 and 3.2.
import { ShoalError } from '../../broker/errors.ts'
import { checkConnect } from './check.ts'
import type { Connection } from './connection.ts'
import {
  type ConnackProperties,
  type ConnectPacket,
  encodeConnack3,
  encodeConnack5,
  parsePacket
} from './control-packets.ts'
import {
  BAD_AUTHENTICATION_METHOD,
  CLIENT_ID_INVALID,
  MALFORMED_PACKET,
  PROTOCOL_ERROR,
  QOS_NOT_SUPPORTED,
  returnCode,
  SERVER_UNAVAILABLE,
  SUCCESS,
  TOPIC_NAME_INVALID
} from './reason-codes.ts'

import { BLOCKED_CLAIM, CLAIMING, CLOSED, OPEN } from './state.ts'

/** A CONNECT being looked at. */
interface Attempt {
  readonly connection: Connection
  readonly packet: ConnectPacket
  readonly willProperties: Uint8Array | null
  clientId: string
  assigned: boolean
}

type Step = (attempt: Attempt) => number

const steps: readonly Step[] = [checkService, checkAuthentication, checkLimits, chooseClientId, takeWill]

export function onConnect(
  connection: Connection,
  chunk: Buffer,
  at: number,
  start: number,
  end: number
): void {
  const { reason, version, willProperties } = checkConnect(chunk, start, end)
  if (version === null) return connection.refuse(reason)
  connection.version = version
  if (reason !== SUCCESS) return refuse(connection, reason)
  const packet = parsePacket(chunk.subarray(at, end), version) as ConnectPacket | null
  if (packet === null) return refuse(connection, MALFORMED_PACKET)
  const clientId = packet.clientId
  const attempt: Attempt = { connection, packet, willProperties, clientId, assigned: false }
  for (const step of steps) {
    const refusal = step(attempt)
    if (refusal !== SUCCESS) return refuse(connection, refusal)
  }
  void claim(attempt)
}

function checkService({ connection }: Attempt): number {
  const { broker } = connection.gateway
  return broker.ready && !broker.closing ? SUCCESS : SERVER_UNAVAILABLE
}

function checkAuthentication({ packet }: Attempt): number {
  const properties = packet.properties
  if (properties?.authenticationMethod !== undefined) return BAD_AUTHENTICATION_METHOD // [MQTT-4.12.0-1]
  return properties?.authenticationData === undefined ? SUCCESS : PROTOCOL_ERROR // MQTT 5.0, 3.1.2.11.10
}

function checkLimits({ connection, packet }: Attempt): number {
  const { keepAliveMaxSeconds } = connection.gateway.options
  const asked = packet.keepalive ?? 0
  let seconds = asked
  // Only v5 can be told another keep-alive than it asked for. [MQTT-3.2.2-21]
  if (
    connection.version === 5 &&
    keepAliveMaxSeconds < 65_535 &&
    (asked === 0 || asked > keepAliveMaxSeconds)
  ) {
    seconds = keepAliveMaxSeconds
  }
  connection.keepAliveMs = seconds * 1000
  const { deliveries } = connection
  const properties = packet.properties
  if (properties?.receiveMaximum !== undefined) {
    deliveries.inflightMax = Math.min(deliveries.inflightMax, properties.receiveMaximum) // [MQTT-3.3.4-9]
  }
  if (properties?.maximumPacketSize !== undefined) deliveries.packetBytesMax = properties.maximumPacketSize
  return SUCCESS
}

function chooseClientId(attempt: Attempt): number {
  const { connection, packet, clientId } = attempt
  if (clientId === '') {
    if (connection.version === 4 && packet.clean !== true) return CLIENT_ID_INVALID // 3.1.1: [MQTT-3.1.3-8]
    attempt.clientId = connection.gateway.assignClientId() // [MQTT-3.1.3-6]
    attempt.assigned = true
    return SUCCESS
  }
  const tooLong = Buffer.byteLength(clientId) > connection.gateway.options.clientIdBytesMax
  return tooLong ? CLIENT_ID_INVALID : SUCCESS
}

function takeWill({ connection, packet, willProperties }: Attempt): number {
  const { will } = packet
  if (will === undefined) return SUCCESS
  // 3.1.1 cannot be told. QoS 1 does: a will comes in with CONNECT, so once, and no subscriber gets more than QoS 1.
  if (will.qos === 2 && connection.version === 5) return QOS_NOT_SUPPORTED // [MQTT-3.2.2-12]
  try {
    connection.will = {
      topic: connection.gateway.broker.topic(will.topic),
      payload: Buffer.from(will.payload),
      qos: will.qos === 0 ? 0 : 1,
      retain: will.retain === true,
      properties: willProperties
    }
    return SUCCESS
  } catch (error) {
    if (!(error instanceof ShoalError)) throw error
    return TOPIC_NAME_INVALID
  }
}

async function claim(attempt: Attempt): Promise<void> {
  const { connection, clientId } = attempt
  const { broker } = connection.gateway
  connection.clientId = clientId
  connection.state = CLAIMING
  connection.input.block(BLOCKED_CLAIM)
  try {
    await broker.claim(clientId, connection) // [MQTT-3.1.4-3] before [MQTT-3.1.4-5]
  } catch (error) {
    const code = error instanceof ShoalError ? error.code : 'HANDLER_FAILED'
    broker.log.warn({ client: clientId, code, error }, 'client id not granted')
    return refuse(connection, SERVER_UNAVAILABLE)
  }
  if (connection.state === CLOSED) return broker.release(clientId, connection)
  accept(attempt)
}

function accept({ connection, packet, clientId, assigned }: Attempt): void {
  const { gateway, version } = connection
  const { options, broker } = gateway
  connection.state = OPEN
  connection.outbox.version = version
  connection.heard = true
  broker.log.debug(
    { client: clientId, remote: connection.transport.remoteAddress, version },
    'client connected'
  )
  if (version === 4) connection.send(encodeConnack3(SUCCESS))
  else {
    const properties: ConnackProperties = {
      sessionExpiryInterval: 0,
      receiveMaximum: options.receiveMaximum,
      maximumQoS: 1,
      maximumPacketSize: options.packetBytesMax,
      sharedSubscriptionAvailable: false
    }
    if (assigned) properties.assignedClientIdentifier = clientId // [MQTT-3.2.2-16]
    const seconds = connection.keepAliveMs / 1000
    if (seconds !== packet.keepalive) properties.serverKeepAlive = seconds
    connection.send(encodeConnack5(SUCCESS, properties))
  }
  connection.input.unblock(BLOCKED_CLAIM)
}

/** CONNACK with the reason, if the version has one for it, and the end. [MQTT-3.2.2-7] (3.1.1: [MQTT-3.2.2-5]) */
function refuse(connection: Connection, reason: number): void {
  const { gateway, version } = connection
  if (connection.state === CLOSED) return
  gateway.counters.connectsRefused++
  gateway.broker.log.info({ remote: connection.transport.remoteAddress, reason }, 'client refused')
  connection.will = null
  if (version === 5) connection.send(encodeConnack5(reason, {}))
  else if (returnCode(reason) !== 0) connection.send(encodeConnack3(returnCode(reason)))
  connection.close(reason)
}
