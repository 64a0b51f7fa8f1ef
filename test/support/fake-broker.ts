// A broker of one node in memory, for tests of gateways: exact and wildcard subscriptions, retained
// messages, client ids, and switches for what a cluster does to a gateway: congestion, late receipts,
// slow or failing subscribes. Every list that a test may ask about is a plain field.
import type { Broker, BrokerStatus, ClientHolder } from '../../broker/broker.ts'
import { ShoalError } from '../../broker/errors.ts'
import type { Message, Receipt, TopicName } from '../../broker/message.ts'
import type { Clock } from '../../broker/runtime/clock.ts'
import { type Log, silentLog } from '../../broker/runtime/log.ts'
import { type Attachment, LocalAttachment } from '../../broker/sessions/attachment.ts'
import { Hosting } from '../../broker/sessions/hosting.ts'
import { SESSION_LIMITS } from '../../broker/sessions/limits.ts'
import type { SessionClient } from '../../broker/sessions/remote.ts'
import type { AttachRequest } from '../../broker/sessions/sessions.ts'
import {
  type Match,
  type Subscriber,
  Subscription,
  type SubscriptionOptions
} from '../../broker/topics/subscription.ts'

/** The machine's clock, for tests over real sockets. Its timers do not keep the process alive. */
export const systemClock: Clock = {
  now: () => performance.now(),
  wall: () => Date.now(),
  after(delayMs, run) {
    const timer = setTimeout(run, delayMs)
    timer.unref()
    return { cancel: () => clearTimeout(timer) }
  },
  every(periodMs, run) {
    const timer = setInterval(run, periodMs)
    timer.unref()
    return { cancel: () => clearInterval(timer) }
  },
  defer(run) {
    setImmediate(run)
  }
}

class FakeTopic implements TopicName {
  readonly name: string
  readonly bytes: Uint8Array
  matches: Match[] = []
  /** The version of the subscriptions that `matches` came from. */
  version = -1
  offset = 0

  constructor(name: string) {
    this.name = name
    this.bytes = new TextEncoder().encode(name)
  }
}

export interface FakeBrokerOptions {
  clock?: Clock
  log?: Log
}

export class FakeBroker implements Broker {
  readonly id = '127.0.0.1:7979'
  readonly instance = '00000000000000aa'
  readonly clock: Clock
  readonly log: Log
  ready = true
  closing = false

  /** While true, `publish` returns false and `whenDrained` waits; messages are still taken. See `drain`. */
  congested = false
  /** While true, receipts are kept in `receipts` until `settle`. */
  holdReceipts = false
  /** While true, subscribes wait in `waiting` until `releaseSubscribes`. */
  holdSubscribes = false
  /** The next subscribes reject with it. */
  subscribeError: ShoalError | null = null
  /** While true, claims of ids that nobody holds are granted at once; else they take a turn of the loop. */
  claimsAtOnce = false
  /** Claims reject with it. */
  claimError: ShoalError | null = null
  /** The reason of receipts; null: 0x00, or 0x10 when no subscriber matches. */
  reason: number | null = null
  /** Keeps every published message in `published` when true. */
  record = true

  readonly published: Message[] = []
  readonly receipts: { message: Message; receipt: Receipt; token: number; reason: number }[] = []
  readonly subscriptions = new Map<string, Map<Subscriber, Subscription>>()
  readonly retained = new Map<string, Message>()
  readonly holders = new Map<string, ClientHolder>()
  readonly hosting = new Hosting(this, SESSION_LIMITS)
  #topics = new Map<string, FakeTopic>()
  #version = 0
  #drained: (() => void)[] = []
  #waiting: (() => void)[] = []

  constructor(options: FakeBrokerOptions = {}) {
    this.clock = options.clock ?? systemClock
    this.log = options.log ?? silentLog
  }

  get upring(): never {
    throw new Error('a fake broker has no upring')
  }

  start(): Promise<void> {
    return Promise.resolve()
  }

  close(): Promise<void> {
    this.closing = true
    return Promise.resolve()
  }

  topic(name: string): FakeTopic {
    let topic = this.#topics.get(name)
    if (topic === undefined) {
      if (!isTopic(name)) throw new ShoalError('TOPIC_INVALID', { topic: name })
      topic = new FakeTopic(name)
      this.#topics.set(name, topic)
    }
    return topic
  }

  publish(message: Message): boolean {
    const topic = message.topic as FakeTopic
    if (topic.version !== this.#version) this.#match(topic)
    message.place(1, topic.offset + 1)
    topic.offset += message.count
    const singles = message.count > 1 ? message.singles() : [message]
    if (this.record) this.published.push(...singles)
    if (message.retain) {
      if (message.isEmpty) this.retained.delete(topic.name)
      else this.retained.set(topic.name, message.detached())
    }
    const matches = topic.matches
    for (let i = 0; i < matches.length; i++) {
      const match = matches[i]!
      if (match.noLocal && match.subscriber === message.publisher) continue
      for (const each of match.subscriber.takesRuns === true ? [message] : singles) {
        match.subscriber.deliver(each, match, false)
      }
    }
    if (message.qos > 0 && message.receipt !== null) {
      const reason = this.reason ?? (matches.length === 0 ? 0x10 : 0)
      const { receipt, token, count } = message
      if (!this.holdReceipts) receipt.published(token, reason, count)
      else {
        for (const [i, each] of singles.entries())
          this.receipts.push({ message: each, receipt, token: token + i, reason })
      }
    }
    return !this.congested
  }

  whenDrained(run: () => void): void {
    if (this.congested) this.#drained.push(run)
    else this.clock.defer(run)
  }

  /** Ends the congestion and calls those who wait for it. */
  drain(): void {
    this.congested = false
    for (const run of this.#drained.splice(0)) run()
  }

  /** Settles the held receipt at `index`. */
  settle(index = 0): void {
    const [held] = this.receipts.splice(index, 1)
    held?.receipt.published(held.token, held.reason, 1)
  }

  /** Lets the held subscribes go on. */
  releaseSubscribes(): void {
    this.holdSubscribes = false
    for (const run of this.#waiting.splice(0)) run()
  }

  async subscribe(
    subscriber: Subscriber,
    filter: string,
    options: SubscriptionOptions
  ): Promise<{ subscription: Subscription; existed: boolean }> {
    if (!isFilter(filter)) throw new ShoalError('FILTER_INVALID', { filter })
    if (this.subscribeError !== null) throw this.subscribeError
    const subscription = new Subscription(subscriber, filter, options)
    let subscribers = this.subscriptions.get(filter)
    if (subscribers === undefined) {
      subscribers = new Map()
      this.subscriptions.set(filter, subscribers)
    }
    const existed = subscribers.has(subscriber)
    subscribers.set(subscriber, subscription)
    this.#version++
    if (this.holdSubscribes) await new Promise<void>(resolve => this.#waiting.push(resolve))
    return { subscription, existed }
  }

  sendRetained(subscription: Subscription): Promise<void> {
    for (const message of this.retained.values()) {
      if (!matches(subscription.filter, message.topic.name)) continue
      subscription.subscriber.deliver(message, subscription, true)
    }
    return Promise.resolve()
  }

  unsubscribe(subscriber: Subscriber, filter: string): boolean {
    const subscribers = this.subscriptions.get(filter)
    const existed = subscribers?.delete(subscriber) ?? false
    if (subscribers?.size === 0) this.subscriptions.delete(filter)
    this.#version++
    return existed
  }

  unsubscribeAll(subscriber: Subscriber): void {
    for (const filter of [...this.subscriptions.keys()]) this.unsubscribe(subscriber, filter)
  }

  /** How many subscriptions there are now. */
  get count(): number {
    let count = 0
    for (const subscribers of this.subscriptions.values()) count += subscribers.size
    return count
  }

  tryClaim(clientId: string, holder: ClientHolder): boolean {
    if (!this.claimsAtOnce || this.holders.has(clientId) || this.hosting.get(clientId) !== undefined)
      return false
    this.holders.set(clientId, holder)
    return true
  }

  async claim(clientId: string, holder: ClientHolder): Promise<void> {
    await this.#hold(clientId, holder)
    this.hosting.discard(clientId)
  }

  async attach(
    clientId: string,
    holder: ClientHolder,
    client: SessionClient,
    request: AttachRequest
  ): Promise<Attachment> {
    await this.#hold(clientId, holder)
    const { session, present } = this.hosting.attach(clientId, client.port, request.clean, request)
    return new LocalAttachment(this.hosting, session, client.port, present)
  }

  async #hold(clientId: string, holder: ClientHolder): Promise<void> {
    if (this.claimError !== null) throw this.claimError
    const older = this.holders.get(clientId)
    this.holders.set(clientId, holder)
    if (older !== undefined && older !== holder) await older.takenOver()
  }

  release(clientId: string, holder: ClientHolder): void {
    if (this.holders.get(clientId) === holder) this.holders.delete(clientId)
  }

  ownerOf(): string | null {
    return this.ready ? this.id : null
  }

  status(): BrokerStatus {
    const { id, instance, ready } = this
    const self = { id, instance, state: 'alive', phase: 'serving', client: false, incarnation: 0 }
    return {
      id,
      instance,
      ready,
      members: [{ ...self, share: 1, self: true }],
      links: [],
      ring: { digest: 'fa4e', nodes: 1, agreed: true },
      topics: this.#topics.size,
      subscriptions: this.count,
      retained: this.retained.size,
      clients: this.holders.size,
      sessions: this.hosting.count,
      waiting: { publishes: 0, deliveries: 0, gated: 0, kept: 0 },
      counters: { published: this.published.length }
    }
  }

  #match(topic: FakeTopic): void {
    const bySubscriber = new Map<Subscriber, Match>()
    for (const [filter, subscribers] of this.subscriptions) {
      if (!matches(filter, topic.name)) continue
      for (const [subscriber, subscription] of subscribers) {
        const other = bySubscriber.get(subscriber)
        bySubscriber.set(subscriber, other === undefined ? subscription : merge(other, subscription))
      }
    }
    topic.matches = [...bySubscriber.values()]
    topic.version = this.#version
  }
}

function merge(a: Match, b: Match): Match {
  return {
    subscriber: a.subscriber,
    qos: Math.max(a.qos, b.qos) as Match['qos'],
    noLocal: a.noLocal && b.noLocal,
    retainAsPublished: a.retainAsPublished || b.retainAsPublished,
    identifiers: [...a.identifiers, ...b.identifiers]
  }
}

function isTopic(name: string): boolean {
  return name !== '' && !/[+#\0]/.test(name) && Buffer.byteLength(name) <= 65_535
}

function isFilter(filter: string): boolean {
  if (filter === '' || filter.includes('\0')) return false
  const levels = filter.split('/')
  return levels.every((level, i) => {
    if (level.includes('#')) return level === '#' && i === levels.length - 1
    return level === '+' || !level.includes('+')
  })
}

function matches(filter: string, topic: string): boolean {
  if (topic.startsWith('$') && /^[+#]/.test(filter)) return false
  const wanted = filter.split('/')
  const levels = topic.split('/')
  for (let i = 0; i < wanted.length; i++) {
    if (wanted[i] === '#') return true
    if (i >= levels.length || (wanted[i] !== '+' && wanted[i] !== levels[i])) return false
  }
  return wanted.length === levels.length
}
