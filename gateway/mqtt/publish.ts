// PUBLISH from a client: made a message in place, handed to the broker, acknowledged when the broker says so.
// Source: MQTT 5.0, 3.3 and 4.3; MQTT 3.1.1 likewise.
import { Message } from '../../broker/message.ts'
import { Acknowledgements } from './acknowledgements.ts'
import type { Connection } from './connection.ts'
import { QOS_NOT_SUPPORTED, RECEIVE_MAXIMUM_EXCEEDED, SUCCESS } from './reason-codes.ts'
import { BLOCKED_CONGESTION, BLOCKED_UNACKNOWLEDGED } from './state.ts'
import { TopicCache } from './topic-cache.ts'

const RETAIN_OR_DUP = 0x09

/** A whole PUBLISH: its first byte at `at`, its rest `start..end`; its length took no more bytes than it must. */
export function onPublish(
  connection: Connection,
  chunk: Buffer,
  at: number,
  start: number,
  end: number
): void {
  const { gateway, version } = connection
  const view = gateway.view
  const first = chunk[at]!
  const reason = view.read(chunk, first, start, end, version)
  if (reason !== SUCCESS) return connection.refuse(reason)
  // v5 was told Maximum QoS 1: [MQTT-3.2.2-11]. 3.1.1 cannot be told; an exchange that would not be exactly once is
  // refused rather than begun.
  if (view.qos === 2) return connection.refuse(QOS_NOT_SUPPORTED)
  connection.topics ??= new TopicCache(gateway.broker)
  const topic = connection.topics.find(chunk, view.topicStart, view.topicEnd)
  if (topic === null) return connection.refuse(connection.topics.reason)

  const message = new Message(topic, chunk, view.payloadStart, end, view.qos === 0 ? 0 : 1, view.retain)
  message.publisher = connection
  if (view.propertiesEnd > view.propertiesStart) {
    message.properties = chunk.subarray(view.propertiesStart, view.propertiesEnd)
  }
  gateway.counters.messagesIn++
  if (view.qos === 0) {
    if (!view.retain) shareBytes(message, chunk, at, end, version)
    if (!gateway.broker.publish(message)) congested(connection)
    return
  }

  connection.acknowledgements ??= new Acknowledgements()
  connection.outbox.acknowledgements = connection.acknowledgements
  const { acknowledgements } = connection
  const { receiveMaximum } = gateway.options
  if (acknowledgements.count >= receiveMaximum) {
    // Only what is not safe yet counts against the client: what is, is acknowledged first.
    connection.outbox.flush()
    if (acknowledgements.count >= receiveMaximum) return connection.refuse(RECEIVE_MAXIMUM_EXCEEDED) // MQTT 5.0, 4.9
  }
  message.receipt = connection
  message.token = acknowledgements.open(view.id)
  if ((first & RETAIN_OR_DUP) === 0) {
    const template = version === 4 ? gateway.encoder.template4 : gateway.encoder.template5
    template.set(message, chunk, at, end, view.topicEnd - at)
  }
  if (!gateway.broker.publish(message)) congested(connection)
  if (version === 5 || acknowledgements.count < receiveMaximum) return
  connection.outbox.flush()
  if (acknowledgements.count >= receiveMaximum) connection.input.block(BLOCKED_UNACKNOWLEDGED)
}

/** Subscribers of the publisher's own version get the very bytes that were read. */
function shareBytes(message: Message, chunk: Buffer, at: number, end: number, version: number): void {
  if (version === 4) {
    message.packetStart = at
  } else {
    message.mqtt5 = chunk
    message.mqtt5Start = at
    message.mqtt5End = end
  }
}

function congested(connection: Connection): void {
  connection.input.block(BLOCKED_CONGESTION)
  connection.gateway.broker.whenDrained(() => connection.input.unblock(BLOCKED_CONGESTION))
}
