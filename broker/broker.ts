// The broker as gateways and embedding programs see it.
// (Interface first; the class that implements it is being written.)
import type { Message, TopicName } from './message.ts'
import type { Clock } from './runtime/clock.ts'
import type { Log } from './runtime/log.ts'
import type { Subscriber, Subscription, SubscriptionOptions } from './topics/subscription.ts'

/** A connection that holds a client id. */
export interface ClientHolder {
  /** A newer connection has claimed the client id: close this one (MQTT: 0x8E) before returning. */
  takenOver(): void
}

export interface Broker {
  readonly id: string
  readonly instance: string
  readonly clock: Clock
  readonly log: Log
  /** True once the node serves: it is on the ring, or is a client node that has joined. */
  readonly ready: boolean
  /** True from the first call of `close`. */
  readonly closing: boolean

  start(): Promise<void>
  /** Leaves the ring, hands over, lets links drain, and closes; settles within `closeTimeoutMs`. */
  close(): Promise<void>

  /** The node's one object for a topic. Throws TOPIC_INVALID (empty, wildcard, NUL, too long). Keep it no longer than a connection. */
  topic(name: string): TopicName
  /**
   * Publishes. The message's `topic` comes from `topic()`. For QoS >= 1, `message.receipt` is told once, perhaps before
   * this returns. Returns false when the way to the owner is congested: stop reading from the publisher and go on
   * at `whenDrained`. Never throws.
   */
  publish(message: Message): boolean
  /** Calls `run` once, when no way is congested any more (at the next tick if none is). */
  whenDrained(run: () => void): void

  /**
   * Subscribes; settles when the topic's owner, or for a wildcard filter every owner, has the route. Messages may reach
   * the subscriber before that. The same subscriber and filter again replaces the options. Rejects: FILTER_INVALID,
   * TIMEOUT, CLOSED.
   */
  subscribe(subscriber: Subscriber, filter: string, options: SubscriptionOptions): Promise<{ subscription: Subscription; existed: boolean }>
  /** Delivers all retained messages of the subscription's filter to its subscriber, each topic once. */
  sendRetained(subscription: Subscription): Promise<void>
  /** False if there was no such subscription. */
  unsubscribe(subscriber: Subscriber, filter: string): boolean
  /** Withdraws every subscription of a subscriber that is gone. */
  unsubscribeAll(subscriber: Subscriber): void

  /** Settles when no older connection, on any node, holds the client id. Rejects: TIMEOUT, CLOSED. */
  claim(clientId: string, holder: ClientHolder): Promise<void>
  /** The connection is gone. Does nothing when another holds the id by now. */
  release(clientId: string, holder: ClientHolder): void

  /** The id of the node that owns a topic; null while no node serves. */
  ownerOf(topic: string): string | null
  status(): BrokerStatus
}

export interface BrokerStatus {
  id: string
  instance: string
  ready: boolean
  members: { id: string; instance: string; state: string; phase: string; client: boolean; incarnation: number; share: number; self: boolean }[]
  links: { id: string; state: string; bytesIn: number; bytesOut: number; buffered: number }[]
  ring: { digest: string; nodes: number }
  topics: number
  subscriptions: number
  retained: number
  counters: Record<string, number>
}
