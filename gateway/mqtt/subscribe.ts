// SUBSCRIBE: each filter is granted or refused on its own; SUBACK leaves when the broker has the routes, and
// the retained messages follow it.
// Source: MQTT 5.0, 3.8 and 3.9; MQTT 3.1.1 likewise.
import { ShoalError } from '../../broker/errors.ts'
import type { QoS } from '../../broker/message.ts'
import type { SubscribeRequest } from '../../broker/sessions/hosting.ts'
import type { Subscription } from '../../broker/topics/subscription.ts'
import { checkSubscribe } from './check.ts'
import type { Connection } from './connection.ts'
import { encodeSuback, parsePacket, type SubscribePacket } from './control-packets.ts'
import type { Version } from './decode.ts'
import {
  IMPLEMENTATION_SPECIFIC,
  MALFORMED_PACKET,
  QUOTA_EXCEEDED,
  SHARED_NOT_SUPPORTED,
  SUCCESS,
  TOPIC_FILTER_INVALID,
  UNSPECIFIED
} from './reason-codes.ts'
import { OPEN } from './state.ts'

/** Filters of one packet that are subscribed at a time. */
const PARALLEL_MAX = 64

type Request = SubscribePacket['subscriptions'][number]

interface Answer {
  /** The SUBACK's code for the filter. */
  code: number
  /** Whose retained messages are to be sent; null if none are. */
  retained: Subscription | null
}

export function onSubscribe(
  connection: Connection,
  chunk: Buffer,
  at: number,
  start: number,
  end: number
): void {
  const fault = checkSubscribe(chunk, start, end, connection.version)
  if (fault !== SUCCESS) return connection.refuse(fault)
  const packet = parsePacket(chunk.subarray(at, end), connection.version) as SubscribePacket | null
  if (packet === null) return connection.refuse(MALFORMED_PACKET)
  connection.enqueue(() => subscribe(connection, packet))
}

async function subscribe(connection: Connection, packet: SubscribePacket): Promise<void> {
  const { version } = connection
  const requests = packet.subscriptions
  const identifier = packet.properties?.subscriptionIdentifier ?? 0
  if (connection.session !== null) return await subscribeSession(connection, packet, identifier)
  const answers: Answer[] = []
  for (let i = 0; i < requests.length && connection.state === OPEN; i += PARALLEL_MAX) {
    const some = requests.slice(i, i + PARALLEL_MAX)
    answers.push(...(await Promise.all(some.map(request => answer(connection, request, identifier)))))
  }
  if (connection.state !== OPEN) return connection.gateway.broker.unsubscribeAll(connection)
  const codes = answers.map(({ code }) => likeness(code, version))
  connection.send(encodeSuback(packet.messageId!, codes, version)) // [MQTT-3.8.4-1], [MQTT-3.8.4-6]
  for (const { retained } of answers) {
    if (retained !== null) await sendRetained(connection, retained)
  }
}

/** The session subscribes, and gets the retained messages. */
async function subscribeSession(
  connection: Connection,
  packet: SubscribePacket,
  identifier: number
): Promise<void> {
  const { version, gateway, session } = connection
  const isShared = ({ topic }: Request): boolean => topic.startsWith('$share/')
  const requests = packet.subscriptions
  const own = requests.filter(request => !isShared(request)).map(request => requestOf(request, identifier))
  if (connection.state !== OPEN) return
  const granted = await session!
    .attachment!.subscribe(own, gateway.options.subscriptionsMax)
    .catch(() => null)
  // The connection is over, or is about to be.
  if (granted === null || connection.state !== OPEN) return
  let next = 0
  const codes = requests.map(request => (isShared(request) ? SHARED_NOT_SUPPORTED : granted[next++]!))
  connection.send(
    encodeSuback(
      packet.messageId!,
      codes.map(code => likeness(code, version)),
      version
    )
  )
}

function requestOf(request: Request, identifier: number): SubscribeRequest {
  return {
    filter: request.topic,
    options: {
      qos: request.qos as QoS,
      noLocal: request.nl === true,
      retainAsPublished: request.rap === true,
      identifier
    },
    retainHandling: request.rh ?? 0
  }
}

async function answer(connection: Connection, request: Request, identifier: number): Promise<Answer> {
  const { broker, options } = connection.gateway
  const filter = request.topic
  if (filter.startsWith('$share/')) return refused(SHARED_NOT_SUPPORTED)
  connection.filters ??= new Set()
  const { filters } = connection
  if (!filters.has(filter) && filters.size >= options.subscriptionsMax) return refused(QUOTA_EXCEEDED)
  filters.add(filter)
  const qos = request.qos as QoS
  const noLocal = request.nl === true
  const retainAsPublished = request.rap === true
  try {
    const { subscription, existed } = await broker.subscribe(connection, filter, {
      qos,
      noLocal,
      retainAsPublished,
      identifier
    })
    // Retain handling: 0 always, 1 only for a new subscription, 2 never. [MQTT-3.3.1-9] .. [MQTT-3.3.1-11]
    const handling = request.rh ?? 0
    const wanted = handling === 0 || (handling === 1 && !existed)
    return { code: qos, retained: wanted ? subscription : null }
  } catch (error) {
    if (!(error instanceof ShoalError)) throw error
    broker.unsubscribe(connection, filter)
    filters.delete(filter)
    if (error.code === 'FILTER_INVALID') return refused(TOPIC_FILTER_INVALID)
    broker.log.warn({ client: connection.clientId, filter, code: error.code }, 'subscribe refused')
    return refused(IMPLEMENTATION_SPECIFIC)
  }
}

function refused(code: number): Answer {
  return { code, retained: null }
}

/** 3.1.1 knows one code for all refusals. */
function likeness(code: number, version: Version): number {
  return version === 4 && code >= UNSPECIFIED ? UNSPECIFIED : code
}

async function sendRetained(connection: Connection, subscription: Subscription): Promise<void> {
  const { broker } = connection.gateway
  try {
    if (connection.state === OPEN) await broker.sendRetained(subscription)
  } catch (error) {
    if (!(error instanceof ShoalError)) throw error
    const { filter } = subscription
    broker.log.warn({ client: connection.clientId, filter, code: error.code }, 'retained messages not sent')
  }
}
