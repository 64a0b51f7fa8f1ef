// PUBLISH from a client: made a message in place, one with those behind it that are like it (a run), handed to the
// broker, acknowledged when the broker says so.
// Source: MQTT 5.0, 3.3 and 4.3; MQTT 3.1.1 likewise.
import { Message, type QoS } from '../../broker/message.ts'
import { behindTopic, packetEnd, RUN_BYTES_MAX, RUN_MESSAGES_MAX } from '../../broker/run.ts'
import { Acknowledgements } from './acknowledgements.ts'
import type { Connection } from './connection.ts'
import { packetId } from './decode.ts'
import type { MqttGateway } from './gateway.ts'
import { Qos2 } from './qos2.ts'
import { RECEIVE_MAXIMUM_EXCEEDED, SUCCESS } from './reason-codes.ts'
import { BLOCKED_CONGESTION, BLOCKED_UNACKNOWLEDGED } from './state.ts'
import { TopicCache } from './topic-cache.ts'

const RETAIN_OR_DUP = 0x09
/** First byte and length of a packet that may be the first of a run. */
const RUN_HEADER_BYTES_MAX = 3

/**
 * A whole PUBLISH: its first byte at `at`, its rest `start..end`; its length took no more bytes than it must. Those that
 * lie behind it before `limit` and make a run with it are taken with it. Returns where the next packet begins.
 */
export function onPublish(
  connection: Connection,
  chunk: Buffer,
  at: number,
  start: number,
  end: number,
  limit: number
): number {
  const { gateway, version } = connection
  const view = gateway.view
  const first = chunk[at]!
  const reason = view.read(chunk, first, start, end, version)
  if (reason !== SUCCESS) return refused(connection, reason, end)
  connection.topics ??= new TopicCache(gateway.broker)
  const topic = connection.topics.find(chunk, view.topicStart, view.topicEnd)
  if (topic === null) return refused(connection, connection.topics.reason, end)

  let room = RUN_MESSAGES_MAX
  if (view.qos === 1) {
    room = receiveRoom(connection)
    if (room === 0) return refused(connection, RECEIVE_MAXIMUM_EXCEEDED, end) // MQTT 5.0, 4.9
  }
  const message = new Message(topic, chunk, view.payloadStart, end, view.qos as QoS, view.retain)
  message.publisher = connection.publisher
  const hasProperties = view.propertiesEnd > view.propertiesStart
  if (hasProperties) message.properties = chunk.subarray(view.propertiesStart, view.propertiesEnd)
  if ((first & RETAIN_OR_DUP) === 0) {
    message.packetVersion = version
    message.packetStart = at
    if (chunk[end] === first && view.qos < 2 && !hasProperties && start - at <= RUN_HEADER_BYTES_MAX) {
      extend(gateway, message, limit, Math.min(room, RUN_MESSAGES_MAX))
    }
  }
  gateway.counters.messagesIn += message.count
  if (view.qos === 2) return publishOnce(connection, message, view.id)
  if (view.qos === 1) awaitReceipt(connection, message, view.id, end)
  if (!gateway.broker.publish(message)) congested(connection)
  if (view.qos === 1 && version === 4) pauseIfFull(connection)
  return message.payloadEnd
}

/** Makes it a run of the packets behind it that are like it, `countMax` messages at most. */
function extend(gateway: MqttGateway, message: Message, limit: number, countMax: number): void {
  const { run, options } = gateway
  const { buffer, packetStart, payloadEnd, topic, packetVersion } = message
  const most = Math.min(limit, packetStart + RUN_BYTES_MAX)
  const version = packetVersion === 5 ? 5 : 4
  const head = buffer[packetStart]!
  run.read(buffer, payloadEnd, most, head, topic.bytes, version, countMax - 1, options.packetBytesMax)
  if (run.count === 0) return
  message.count += run.count
  message.payloadEnd = run.end
}

/** QoS 2: once, however often it comes. A client that exceeds its Receive Maximum with others than these is refused. */
function publishOnce(connection: Connection, message: Message, id: number): number {
  const { session } = connection
  if (session === null) connection.qos2 ??= new Qos2(connection)
  const { qos2, acknowledgements, gateway, version } = connection
  const waiting = unreleased(connection) + (acknowledgements?.count ?? 0)
  const isKnown = session === null ? qos2!.received.has(id) : session.unreleased.has(id)
  // 3.1.1 knows no limit but that of its packet ids.
  if (version === 5 && waiting >= gateway.options.receiveMaximum && !isKnown) {
    return refused(connection, RECEIVE_MAXIMUM_EXCEEDED, message.payloadEnd) // MQTT 5.0, 4.9
  }
  session?.unreleased.add(id)
  const isOpen = session === null ? qos2!.publish(id, message) : session.attachment!.publish(id, message)
  if (!isOpen) congested(connection)
  return message.payloadEnd
}

/** How many publishes of QoS 1 may still come unacknowledged. Only what is not safe yet counts: what is, is acknowledged first. */
function receiveRoom(connection: Connection): number {
  const { receiveMaximum } = connection.gateway.options
  connection.acknowledgements ??= new Acknowledgements()
  const { acknowledgements, outbox } = connection
  outbox.acknowledgements = acknowledgements
  if (acknowledgements.count >= receiveMaximum) outbox.flush()
  const received = connection.version === 5 ? unreleased(connection) : 0
  return Math.max(0, receiveMaximum - acknowledgements.count - received)
}

/** Publishes of QoS 2 that are not released. */
function unreleased({ session, qos2 }: Connection): number {
  if (session !== null) return session.unreleased.size
  return qos2 === null ? 0 : qos2.received.count
}

/** The id of a message, or of the first of a run, is `id`; the others are in the packets from `next` on. */
function awaitReceipt(connection: Connection, message: Message, id: number, next: number): void {
  const acknowledgements = connection.acknowledgements!
  message.receipt = connection
  message.token = acknowledgements.open(id)
  const { buffer, payloadEnd } = message
  for (let at = next; at < payloadEnd; at = packetEnd(buffer, at)) {
    acknowledgements.open(packetId(buffer, behindTopic(buffer, at)))
  }
}

/** A client of 3.1.1 knows no Receive Maximum: it is read no further until there is room. */
function pauseIfFull(connection: Connection): void {
  const { acknowledgements, outbox, input, gateway } = connection
  const { receiveMaximum } = gateway.options
  if (acknowledgements === null || acknowledgements.count < receiveMaximum) return
  outbox.flush()
  if (acknowledgements.count >= receiveMaximum) input.block(BLOCKED_UNACKNOWLEDGED)
}

function refused(connection: Connection, reason: number, end: number): number {
  connection.refuse(reason)
  return end
}

function congested(connection: Connection): void {
  connection.input.block(BLOCKED_CONGESTION)
  connection.gateway.broker.whenDrained(() => connection.input.unblock(BLOCKED_CONGESTION))
}
