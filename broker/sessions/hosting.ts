// The sessions that live on this node: found by client id, made when a client first asks for one, ended when their
// time has passed. All share one timer.
import { ShoalError } from '../errors.ts'
import type { Message, TopicName } from '../message.ts'
import type { Clock, Timer } from '../runtime/clock.ts'
import type { Log } from '../runtime/log.ts'
import type { Subscriber, Subscription, SubscriptionOptions } from '../topics/subscription.ts'
import { Deadlines } from './deadlines.ts'
import { forgetCopy } from './delivery.ts'
import { SessionCounters, type SessionLimits } from './limits.ts'
import { Session, type SessionPort, type SessionTerms, type SessionWorld } from './session.ts'
import { messageOf, type SessionWill } from './will.ts'

const TICK_MS = 1000

/** What hosting needs of its broker. */
export interface HostingBroker {
  readonly clock: Clock
  readonly log: Log
  topic(name: string): TopicName
  publish(message: Message): boolean
  subscribe(
    subscriber: Subscriber,
    filter: string,
    options: SubscriptionOptions
  ): Promise<{ subscription: Subscription; existed: boolean }>
  sendRetained(subscription: Subscription): Promise<void>
  unsubscribe(subscriber: Subscriber, filter: string): boolean
  unsubscribeAll(subscriber: Subscriber): void
}

/** One filter of a SUBSCRIBE. */
export interface SubscribeRequest {
  readonly filter: string
  readonly options: SubscriptionOptions
  /** MQTT 5 Retain Handling: 0 sends retained messages, 1 if the subscription is new, 2 does not. */
  readonly retainHandling: number
}

export class Hosting implements SessionWorld {
  readonly limits: Readonly<SessionLimits>
  readonly counters = new SessionCounters()
  readonly #broker: HostingBroker
  readonly #sessions = new Map<string, Session>()
  readonly #deadlines = new Deadlines<Session>()
  #timer: Timer | null = null
  /** A publish of QoS 2 of a session that has moved is settled. */
  whenSettledElsewhere: (clientId: string, id: number, reason: number) => void = () => {}

  constructor(broker: HostingBroker, limits: Readonly<SessionLimits>) {
    this.#broker = broker
    this.limits = limits
  }

  get count(): number {
    return this.#sessions.size
  }

  get(clientId: string): Session | undefined {
    return this.#sessions.get(clientId)
  }

  values(): IterableIterator<Session> {
    return this.#sessions.values()
  }

  /**
   * Resumes the session of a client, or begins a new one. `clean` ends what there was. Throws LIMIT_EXCEEDED at
   * `sessionsMax`.
   */
  attach(
    clientId: string,
    port: SessionPort,
    clean: boolean,
    terms: SessionTerms
  ): { session: Session; present: boolean } {
    if (clean) this.#sessions.get(clientId)?.end() // [MQTT-3.1.2-4]
    const known = this.#sessions.get(clientId)
    const session = known ?? this.create(clientId)
    session.attach(port, terms)
    if (known !== undefined) this.counters.sessionsResumed++
    return { session, present: known !== undefined }
  }

  /** A session without anything. Throws LIMIT_EXCEEDED at `sessionsMax`. */
  create(clientId: string): Session {
    if (this.#sessions.size >= this.limits.sessionsMax) {
      this.counters.sessionsRefused++
      throw new ShoalError('LIMIT_EXCEEDED', {
        limit: 'sessionsMax',
        max: this.limits.sessionsMax
      })
    }
    const session = new Session(clientId, this)
    this.#sessions.set(clientId, session)
    this.counters.sessionsCreated++
    this.#timer ??= this.#broker.clock.every(TICK_MS, () => this.#tick())
    return session
  }

  /** The client has begun a session that ends with its connection: what there was is over. */
  discard(clientId: string): void {
    this.#sessions.get(clientId)?.end()
  }

  /** Subscribes on behalf of the session; settles as `broker.subscribe` does. Retained messages follow later. */
  async subscribe(session: Session, request: SubscribeRequest): Promise<void> {
    const { filter, options, retainHandling } = request
    const broker = this.#broker
    const before = session.subscriptions.get(filter)
    session.subscriptions.set(filter, options)
    try {
      const { subscription, existed } = await broker.subscribe(session, filter, options)
      if (session.isEnded || session.hasMoved) broker.unsubscribeAll(session)
      const wanted = retainHandling === 0 || (retainHandling === 1 && !existed) // [MQTT-3.3.1-9] .. [MQTT-3.3.1-11]
      // Behind the SUBACK that is sent now.
      if (wanted) broker.clock.defer(() => void this.#sendRetained(session, subscription))
    } catch (error) {
      if (before === undefined) {
        session.subscriptions.delete(filter)
        broker.unsubscribe(session, filter)
      }
      throw error
    }
  }

  async #sendRetained(session: Session, subscription: Subscription): Promise<void> {
    if (session.isEnded || session.hasMoved) return
    try {
      await this.#broker.sendRetained(subscription)
    } catch (error) {
      if (!(error instanceof ShoalError)) throw error
      const { filter } = subscription
      this.#broker.log.warn(
        { client: session.clientId, filter, code: error.code },
        'retained messages not sent'
      )
    }
  }

  /** False if there was no such subscription. */
  unsubscribe(session: Session, filter: string): boolean {
    if (!session.subscriptions.delete(filter)) return false
    this.#broker.unsubscribe(session, filter)
    return true
  }

  /** Publishes a will that its owner has kept. */
  publishWill(will: SessionWill): void {
    this.counters.sessionWillsPublished++
    this.publish(messageOf(will, name => this.topic(name)))
  }

  now(): number {
    return this.#broker.clock.now()
  }

  topic(name: string): TopicName {
    return this.#broker.topic(name)
  }

  publish(message: Message): boolean {
    return this.#broker.publish(message)
  }

  deadlineChanged(session: Session): void {
    this.#deadlines.set(session, session.deadline)
  }

  ended(session: Session): void {
    this.#forget(session)
    this.#broker.unsubscribeAll(session)
  }

  /** The session is another node's now, or never became this one's. */
  leave(session: Session): void {
    session.hasMoved = true
    if (this.#sessions.get(session.clientId) === session) this.counters.sessionsMovedOut++
    this.#forget(session)
    this.#broker.unsubscribeAll(session)
  }

  /** A session has come from another node. */
  adopt(session: Session): void {
    this.#sessions.set(session.clientId, session)
    this.counters.sessionsMovedIn++
    this.#timer ??= this.#broker.clock.every(TICK_MS, () => this.#tick())
    this.deadlineChanged(session)
  }

  settledElsewhere({ clientId }: Session, id: number, reason: number): void {
    this.whenSettledElsewhere(clientId, id, reason)
  }

  /** Sessions stay as they are, and nothing happens to them any more. */
  close(): void {
    this.#timer?.cancel()
    this.#timer = null
  }

  #forget(session: Session): void {
    this.#deadlines.clear(session)
    if (this.#sessions.get(session.clientId) === session) this.#sessions.delete(session.clientId)
  }

  #tick(): void {
    forgetCopy()
    const now = this.now()
    for (const session of this.#deadlines.due(now)) session.deadlinePassed(now)
  }
}
