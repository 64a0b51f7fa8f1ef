// A message on its way to one session: what the session's subscriptions made of it, in memory of its own, and
// when it is too old to be sent. Messages of many sessions share one copy.
// Source: MQTT 5.0, 3.3.2.3.3 (Message Expiry Interval).
import type { Message, QoS } from '../message.ts'
import type { Match } from '../topics/subscription.ts'
import { expiryOf } from './message-expiry.ts'

export interface Delivery {
  /** Detached: shares no memory with what was read. */
  readonly message: Message
  readonly qos: QoS
  /** The RETAIN flag as the subscriber is to see it. */
  readonly retain: boolean
  readonly identifiers: readonly number[]
  /** In ms of the clock; Infinity: never. */
  readonly expiresAt: number
}

/** What a delivery takes of a queue's bytes. */
export function bytesOf({ message }: Delivery): number {
  const { payloadStart, payloadEnd, topic, properties } = message
  return payloadEnd - payloadStart + topic.bytes.length + (properties === null ? 0 : properties.length)
}

/** The name by which a message is known again whatever its place in the order; null: it has none. */
export function nameOf({ origin, sequence }: Message): string | null {
  return origin === null ? null : `${origin.instance} ${sequence}`
}

/** Its place in the order of its topic, which tells it from all others. */
export function placeOf({ topic, epoch, offset }: Message): string {
  return `${epoch} ${offset} ${topic.name}`
}

/** The last message that was copied: its other sessions get the same copy. */
let original: Message | null = null
let copy: Message | null = null

/** A delivery of `message` at `qos`, as `match` wants it. */
export function deliveryOf(message: Message, match: Match, retained: boolean, now: number): Delivery {
  if (original !== message || copy === null) {
    copy = message.detached()
    original = message
  }
  const seconds = message.properties === null ? -1 : expiryOf(message.properties)
  return {
    message: copy,
    qos: Math.min(message.qos, match.qos) as QoS,
    retain: retained || (match.retainAsPublished && message.retain), // [MQTT-3.3.1-12], [MQTT-3.3.1-13]
    identifiers: match.identifiers,
    expiresAt: seconds < 0 ? Infinity : now + seconds * 1000
  }
}

/** Forgets the last message, so that it is not kept. */
export function forgetCopy(): void {
  original = null
  copy = null
}
