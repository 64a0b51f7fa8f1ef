// A subscription of one local subscriber to one filter, and a match: what a subscriber gets for a
// topic when all its overlapping subscriptions are taken together.
import type { Message, QoS } from '../message.ts'

/** Whoever receives messages on this node: a connection of a gateway, a session, an embedding program. */
export interface Subscriber {
  /**
   * Takes one message. Must neither throw nor wait: a subscriber that is slow queues within its own bounds.
   * `retained` is true for a copy that is sent because the subscription is new.
   */
  deliver(message: Message, match: Match, retained: boolean): void
  /** True if `deliver` takes runs as they are (see run.ts); else it gets their messages one by one. */
  readonly takesRuns?: boolean
  /** True while so much waits for it that retained messages should wait too; without it they never do. */
  readonly isBusy?: boolean
}

export interface SubscriptionOptions {
  /** Maximum QoS. */
  qos: QoS
  /** MQTT 5 No Local: not to the subscriber that published it. */
  noLocal: boolean
  /** MQTT 5 Retain As Published. */
  retainAsPublished: boolean
  /** MQTT 5 subscription identifier; 0 if none. */
  identifier: number
}

/** One copy of a message to one subscriber: the highest QoS of its matching subscriptions, all their identifiers. */
export interface Match {
  readonly subscriber: Subscriber
  readonly qos: QoS
  readonly noLocal: boolean
  readonly retainAsPublished: boolean
  /** Empty if no matching subscription has one. */
  readonly identifiers: readonly number[]
}

const none: readonly number[] = []

export class Subscription implements Match {
  readonly subscriber: Subscriber
  readonly filter: string
  readonly qos: QoS
  readonly noLocal: boolean
  readonly retainAsPublished: boolean
  readonly identifiers: readonly number[]

  constructor(subscriber: Subscriber, filter: string, options: SubscriptionOptions) {
    this.subscriber = subscriber
    this.filter = filter
    this.qos = options.qos
    this.noLocal = options.noLocal
    this.retainAsPublished = options.retainAsPublished
    this.identifiers = options.identifier === 0 ? none : [options.identifier]
  }
}
