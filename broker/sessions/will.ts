// The message that a client leaves behind, to be published if it goes without a goodbye. It is kept by the owner
// of the client id, which outlives the connection, and often the connection's node.
// Source: MQTT 5.0, 3.1.2.5 and 3.1.3.2; MQTT 3.1.1, 3.1.2.5.
import { ShoalError } from '../errors.ts'
import { Message, type QoS, type TopicName } from '../message.ts'

export interface SessionWill {
  /** A valid topic name. */
  readonly topic: string
  readonly payload: Uint8Array
  readonly qos: QoS
  readonly retain: boolean
  /** v5, encoded, without the delay; null if none. */
  readonly properties: Uint8Array | null
  /** How long a session without connection waits before it is published; it waits no longer than its session. */
  readonly delaySeconds: number
}

/** The message. `topicOf` is the broker's. */
export function messageOf(will: SessionWill, topicOf: (name: string) => TopicName): Message {
  const { payload, qos, retain, properties } = will
  const message = new Message(topicOf(will.topic), payload, 0, payload.length, qos, retain)
  message.properties = properties
  return message
}

/** A will as another node sends it; null if there is none. Throws BAD_REQUEST. */
export function willOf(value: unknown): SessionWill | null {
  if (value === null || value === undefined) return null
  const { topic, payload, qos, retain, properties, delaySeconds } = value as Record<string, unknown>
  const isWhole =
    typeof topic === 'string' &&
    payload instanceof Uint8Array &&
    (qos === 0 || qos === 1 || qos === 2) &&
    typeof retain === 'boolean' &&
    (properties === null || properties instanceof Uint8Array) &&
    typeof delaySeconds === 'number'
  if (!isWhole) throw new ShoalError('BAD_REQUEST', { expected: 'a will' })
  return { topic, payload, qos, retain, properties, delaySeconds }
}
