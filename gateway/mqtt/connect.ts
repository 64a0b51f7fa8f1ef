// CONNECT, as a list of steps: each may refuse with a reason; when all agree the client id is claimed in
// the whole cluster, and then CONNACK is sent.
// Source: MQTT 5.0, 3.1 and 3.2; MQTT 3.1.1, 3.1 and 3.2.
import { ShoalError } from '../../broker/errors.ts'
import { NEVER_SECONDS } from '../../broker/sessions/limits.ts'
import { type ConnectPacket, readConnect } from './connect-packet.ts'
import type { Connection } from './connection.ts'
import { type ConnackProperties, encodeConnack3, encodeConnack5 } from './control-packets.ts'
import type { MqttOptions } from './options.ts'
import {
  AUTHENTICATION_DATA,
  AUTHENTICATION_METHOD,
  hasProperty,
  MAXIMUM_PACKET_SIZE,
  numberOf,
  RECEIVE_MAXIMUM,
  SESSION_EXPIRY
} from './properties.ts'
import {
  BAD_AUTHENTICATION_METHOD,
  CLIENT_ID_INVALID,
  PROTOCOL_ERROR,
  QUOTA_EXCEEDED,
  returnCode,
  SERVER_UNAVAILABLE,
  SUCCESS,
  TOPIC_NAME_INVALID
} from './reason-codes.ts'
import { ConnectionSession } from './session.ts'
import { BLOCKED_CLAIM, CLAIMING, CLOSED, OPEN } from './state.ts'

/** A CONNECT being looked at. */
interface Attempt {
  readonly connection: Connection
  readonly packet: ConnectPacket
  clientId: string
  assigned: boolean
}

type Step = (attempt: Attempt) => number

const steps: readonly Step[] = [checkService, checkAuthentication, checkLimits, chooseClientId, takeWill]

/** A whole CONNECT, the first packet of a connection: its rest `start..end`. */
export function onConnect(connection: Connection, chunk: Buffer, start: number, end: number): void {
  const { reason, version, packet } = readConnect(chunk, start, end)
  if (version === null) return connection.refuse(reason)
  connection.version = version
  if (packet === null) return refuse(connection, reason)
  const attempt: Attempt = { connection, packet, clientId: packet.clientId, assigned: false }
  for (const step of steps) {
    const refusal = step(attempt)
    if (refusal !== SUCCESS) return refuse(connection, refusal)
  }
  connection.clientId = attempt.clientId
  const { will, gateway } = connection
  if (outlives(packet)) void attach(attempt)
  else if (gateway.broker.tryClaim(attempt.clientId, connection, will)) accept(attempt)
  else void claim(attempt, () => gateway.broker.claim(attempt.clientId, connection, will))
}

function checkService({ connection }: Attempt): number {
  const { broker } = connection.gateway
  return broker.ready && !broker.closing ? SUCCESS : SERVER_UNAVAILABLE
}

function checkAuthentication({ packet }: Attempt): number {
  if (hasProperty(packet.properties, AUTHENTICATION_METHOD)) return BAD_AUTHENTICATION_METHOD // [MQTT-4.12.0-1]
  return hasProperty(packet.properties, AUTHENTICATION_DATA) ? PROTOCOL_ERROR : SUCCESS // MQTT 5.0, 3.1.2.11.10
}

function checkLimits({ connection, packet }: Attempt): number {
  const { keepAliveMaxSeconds } = connection.gateway.options
  let seconds = packet.keepAliveSeconds
  // Only v5 can be told another keep-alive than it asked for. [MQTT-3.2.2-21]
  if (
    packet.version === 5 &&
    keepAliveMaxSeconds < 65_535 &&
    (seconds === 0 || seconds > keepAliveMaxSeconds)
  ) {
    seconds = keepAliveMaxSeconds
  }
  connection.keepAliveMs = seconds * 1000
  const { deliveries } = connection
  const { inflightMax, packetBytesMax } = deliveries
  deliveries.inflightMax = Math.min(inflightMax, numberOf(packet.properties, RECEIVE_MAXIMUM, inflightMax)) // [MQTT-3.3.4-9]
  deliveries.packetBytesMax = numberOf(packet.properties, MAXIMUM_PACKET_SIZE, packetBytesMax)
  return SUCCESS
}

function chooseClientId(attempt: Attempt): number {
  const { connection, packet, clientId } = attempt
  if (clientId === '') {
    if (packet.version === 4 && !packet.clean) return CLIENT_ID_INVALID // 3.1.1: [MQTT-3.1.3-8]
    attempt.clientId = connection.gateway.assignClientId() // [MQTT-3.1.3-6]
    attempt.assigned = true
    return SUCCESS
  }
  const tooLong = Buffer.byteLength(clientId) > connection.gateway.options.clientIdBytesMax
  return tooLong ? CLIENT_ID_INVALID : SUCCESS
}

function takeWill({ connection, packet }: Attempt): number {
  if (packet.will === null) return SUCCESS
  const { topic, payload, qos, retain, properties, delaySeconds } = packet.will
  try {
    connection.gateway.broker.topic(topic)
    connection.will = { topic, payload, qos, retain, properties, delaySeconds }
    return SUCCESS
  } catch (error) {
    if (!(error instanceof ShoalError)) throw error
    return TOPIC_NAME_INVALID
  }
}

/** Whether the session outlives its connection, or may be one that has outlived another. */
function outlives({ version, clean, properties }: ConnectPacket): boolean {
  return !clean || (version === 5 && numberOf(properties, SESSION_EXPIRY, 0) > 0)
}

/** Resumes or begins the session at its owner, who claims the id as well. */
async function attach(attempt: Attempt): Promise<void> {
  const { connection, clientId, packet } = attempt
  const { gateway, will, deliveries } = connection
  const { clean, version, properties } = packet
  const session = new ConnectionSession(connection, deliveries.inflightMax)
  const expirySeconds = version === 4 ? NEVER_SECONDS : numberOf(properties, SESSION_EXPIRY, 0)
  connection.session = session
  connection.will = null
  await claim(attempt, async () => {
    session.attachment = await gateway.broker.attach(clientId, connection, session, {
      clean,
      expirySeconds,
      will
    })
    connection.publisher = session.attachment.publisher ?? connection
    if (connection.state === CLOSED) await session.attachment.detach(true, null)
  })
}

/** Asks the id's owner, and waits until an older connection has let go. */
async function claim(attempt: Attempt, ask: () => Promise<void>): Promise<void> {
  const { connection, clientId } = attempt
  const { broker } = connection.gateway
  connection.state = CLAIMING
  connection.input.block(BLOCKED_CLAIM)
  try {
    await ask() // [MQTT-3.1.4-3] before [MQTT-3.1.4-5]
  } catch (error) {
    const code = error instanceof ShoalError ? error.code : 'HANDLER_FAILED'
    broker.log.warn({ client: clientId, code, error }, 'client id not granted')
    return refuse(connection, code === 'LIMIT_EXCEEDED' ? QUOTA_EXCEEDED : SERVER_UNAVAILABLE)
  }
  if (connection.state === CLOSED) return broker.release(clientId, connection)
  accept(attempt)
}

function accept({ connection, packet, clientId, assigned }: Attempt): void {
  const { version } = packet
  const { broker } = connection.gateway
  connection.state = OPEN
  connection.outbox.version = version
  connection.heard = true
  if (broker.log.isLevelEnabled?.('debug') !== false) {
    const remote = connection.transport.remoteAddress
    broker.log.debug({ client: clientId, remote, version }, 'client connected')
  }
  const attachment = connection.session?.attachment ?? null
  const present = attachment?.present === true
  connection.send(version === 4 ? encodeConnack3(SUCCESS, present) : connack5(connection, packet, assigned))
  attachment?.start()
  connection.input.unblock(BLOCKED_CLAIM)
}

function connack5(connection: Connection, packet: ConnectPacket, assigned: boolean): Buffer {
  const { gateway, clientId } = connection
  const seconds = connection.keepAliveMs / 1000
  const attachment = connection.session?.attachment ?? null
  if (attachment === null && !assigned && seconds === packet.keepAliveSeconds) {
    gateway.connack5 ??= encodeConnack5(SUCCESS, offered(gateway.options))
    return gateway.connack5
  }
  const properties = offered(gateway.options)
  if (assigned) properties.assignedClientIdentifier = clientId // [MQTT-3.2.2-16]
  if (seconds !== packet.keepAliveSeconds) properties.serverKeepAlive = seconds
  if (attachment !== null) properties.sessionExpiryInterval = attachment.expirySeconds
  return encodeConnack5(SUCCESS, properties, attachment?.present === true) // [MQTT-3.2.2-2], [MQTT-3.2.2-3]
}

/** What CONNACK of v5 tells every client. */
function offered({ receiveMaximum, packetBytesMax }: Readonly<MqttOptions>): ConnackProperties {
  return {
    sessionExpiryInterval: 0,
    receiveMaximum,
    maximumPacketSize: packetBytesMax,
    sharedSubscriptionAvailable: false
  }
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
