// One client's session, which outlives its connections: what it has subscribed to, what waits for it, what it has not
// acknowledged, what it has published at QoS 2 and not released, and its will. It is a state machine without sockets
// or timers: connections come and go as ports, time is asked for, and whoever hosts it says when a deadline has passed.
//
//                   attach                  start
//   away ───────────────────────▶ attached ───────▶ started: in-flight again, then what waits
//    ▲  │ deadline: will, expiry      │                │
//    │  ▼                             │                │
//    │ ended ◀── expiry 0 ────────────┴─── detach ─────┘
//    └─────────── expiry > 0 ──────────────┘
//
// Source: MQTT 5.0, 3.1.2.4, 3.1.2.11.2, 4.1, 4.3, 4.4; MQTT 3.1.1, 3.1.2.4, 4.1.
import type { Message, Receipt, TopicName } from '../message.ts'
import type { Match, Subscriber, SubscriptionOptions } from '../topics/subscription.ts'
import { type Delivery, deliveryOf, nameOf, placeOf } from './delivery.ts'
import { SessionInflight } from './inflight.ts'
import { NEVER_SECONDS, type SessionCounters, type SessionLimits } from './limits.ts'
import { SessionQueue } from './queue.ts'
import { Received } from './received.ts'
import { messageOf, type SessionWill } from './will.ts'

const SUCCESS = 0x00
const IDENTIFIER_NOT_FOUND = 0x92

/** A connection, as its session sees it. Nothing here throws. */
export interface SessionPort {
  /** Most deliveries of QoS 1 and 2 that the client takes unacknowledged. */
  readonly inflightMax: number
  /** So much waits for the client that QoS 0 is dropped. */
  readonly isCongested: boolean
  /** `id` is 0 at QoS 0. `now` is that of `delivery.expiresAt`. */
  publish(id: number, delivery: Delivery, dup: boolean, now: number): void
  pubrel(id: number, reason: number): void
  pubrec(id: number, reason: number): void
  pubcomp(id: number, reason: number): void
}

/** What a client says of its session when it connects. */
export interface SessionTerms {
  /** 0: it ends with the connection; NEVER_SECONDS: it does not. */
  readonly expirySeconds: number
  readonly will: SessionWill | null
}

/** What a session needs of the node that hosts it. */
export interface SessionWorld {
  readonly limits: Readonly<SessionLimits>
  readonly counters: SessionCounters
  /** In ms. */
  now(): number
  topic(name: string): TopicName
  /** False: the way is congested. */
  publish(message: Message): boolean
  /** `session.deadline` has changed. */
  deadlineChanged(session: Session): void
  /** The session is over: forget it. */
  ended(session: Session): void
  /** A publish of QoS 2 has been settled after the session went to another node. */
  settledElsewhere(session: Session, id: number, reason: number): void
}

export class Session implements Subscriber, Receipt {
  readonly clientId: string
  readonly subscriptions = new Map<string, SubscriptionOptions>()
  readonly inflight = new SessionInflight()
  readonly received = new Received()
  readonly queue: SessionQueue
  /** Null: the client is away. */
  port: SessionPort | null = null
  expirySeconds = 0
  will: SessionWill | null = null
  /** In ms, of a client that is away; Infinity: never. */
  willAt = Infinity
  expiresAt = Infinity
  isEnded = false
  /** After a move: names and places of messages that came with it, and may still come once more. */
  known: ReadonlySet<string> | null = null
  /** It is another node's now. */
  hasMoved = false
  readonly #world: SessionWorld
  #isStarted = false
  #isFrozen = false
  /** While it was frozen its connection was lost, and the session is to expire after this; null: it was not. */
  #lostExpirySeconds: number | null = null

  constructor(clientId: string, world: SessionWorld) {
    const { sessionQueueMax, sessionQueueBytesMax, sessionOverflow } = world.limits
    this.clientId = clientId
    this.#world = world
    this.queue = new SessionQueue(sessionQueueMax, sessionQueueBytesMax, sessionOverflow)
  }

  /** When `deadlinePassed` is to be called, in ms; Infinity: never. */
  get deadline(): number {
    return Math.min(this.willAt, this.expiresAt)
  }

  get isBusy(): boolean {
    const { queue } = this
    return queue.count > queue.countMax / 2 || queue.bytes > queue.bytesMax / 2
  }

  // ── connections ──

  /** A connection has the session, from now on alone. Nothing is sent before `start`. */
  attach(port: SessionPort, terms: SessionTerms): void {
    if (this.port !== null) this.#left(true)
    this.port = port
    this.#isStarted = false
    this.willAt = Infinity // [MQTT-3.1.3-9]
    this.expiresAt = Infinity
    this.expirySeconds = Math.min(terms.expirySeconds, this.#world.limits.sessionExpiryMaxSeconds)
    this.will = terms.will
    this.#world.deadlineChanged(this)
  }

  /** The client has its CONNACK. What is in flight is sent again, unless this is still the connection it was sent to. */
  start(port: SessionPort, again = true): void {
    if (this.port !== port || this.#isStarted) return
    if (again) {
      const now = this.#world.now()
      for (const { id, delivery } of [...this.inflight]) {
        if (delivery === null) port.pubrel(id, SUCCESS)
        else port.publish(id, delivery, true, now) // [MQTT-3.3.1-1], [MQTT-4.4.0-1]
      }
    }
    this.#isStarted = true
    this.#drain()
  }

  /**
   * The connection is gone; `isAbnormal` if its will is to be published. `expirySeconds` may have been changed by
   * DISCONNECT. Does nothing when another connection has the session.
   */
  detach(port: SessionPort, isAbnormal: boolean, expirySeconds = this.expirySeconds): void {
    if (this.port !== port) return
    if (this.#isFrozen) {
      this.#lostExpirySeconds = expirySeconds
      return
    }
    this.expirySeconds = Math.min(expirySeconds, this.#world.limits.sessionExpiryMaxSeconds)
    this.#left(isAbnormal)
    if (this.expirySeconds === 0) return this.end()
    const now = this.#world.now()
    this.expiresAt = this.expirySeconds === NEVER_SECONDS ? Infinity : now + this.expirySeconds * 1000
    this.#world.deadlineChanged(this)
  }

  /** It is about to move: nothing more is sent, what comes is kept. */
  freeze(): void {
    this.#isFrozen = true
  }

  /** It does not move after all. */
  thaw(): void {
    this.#isFrozen = false
    const { port } = this
    if (this.hasMoved || port === null) return
    if (this.#lostExpirySeconds === null) return this.#drain()
    const seconds = this.#lostExpirySeconds
    this.#lostExpirySeconds = null
    this.detach(port, true, seconds)
  }

  /** It has come from another node, and its connection is to follow; else it counts as lost in so many ms. */
  awaitReturn(graceMs: number): void {
    const from = this.#world.now() + graceMs
    this.willAt = this.will === null ? Infinity : from + this.will.delaySeconds * 1000
    this.expiresAt = this.expirySeconds === NEVER_SECONDS ? Infinity : from + this.expirySeconds * 1000
  }

  /** Its connection has followed it. */
  returned(port: SessionPort): void {
    const { expirySeconds, will } = this
    this.attach(port, { expirySeconds, will })
    this.start(port, false)
  }

  /** The owner's connection to the client's node is lost, or another client starts anew: it is over, and its will published. */
  end(): void {
    if (this.isEnded) return
    if (this.port !== null) this.#left(true)
    if (this.willAt !== Infinity) this.#publishWill()
    this.isEnded = true
    this.#world.ended(this)
  }

  deadlinePassed(now: number): void {
    if (this.port !== null || this.isEnded) return
    if (this.willAt <= now) this.#publishWill()
    if (this.expiresAt > now) return this.#world.deadlineChanged(this)
    this.#world.counters.sessionsExpired++
    this.end()
  }

  #left(isAbnormal: boolean): void {
    this.port = null
    this.#isStarted = false
    if (this.will === null) return
    if (!isAbnormal)
      this.will = null // [MQTT-3.1.2-10]
    else {
      this.willAt = this.#world.now() + this.will.delaySeconds * 1000
      if (this.will.delaySeconds === 0) this.#publishWill()
    }
  }

  #publishWill(): void {
    const { will } = this
    this.willAt = Infinity
    this.will = null
    if (will === null) return
    this.#world.counters.sessionWillsPublished++
    this.#world.publish(messageOf(will, name => this.#world.topic(name)))
  }

  // ── to the client ──

  deliver(message: Message, match: Match, retained: boolean): void {
    if (match.noLocal && message.publisher === this) return // [MQTT-3.8.3-3]
    if (this.known !== null && this.#isKnown(message)) return
    const { port, queue } = this
    const { counters, limits } = this.#world
    const isQos0 = message.qos === 0 || match.qos === 0
    if (
      isQos0 &&
      (port === null ? !limits.queueQosZero : this.#isStarted && !this.#isFrozen && port.isCongested)
    ) {
      counters.sessionDroppedQos0++
      return
    }
    const now = this.#world.now()
    const delivery = deliveryOf(message, match, retained, now)
    if (port === null || !this.#isStarted || this.#isFrozen || queue.count > 0) this.enqueue(delivery)
    else if (isQos0) port.publish(0, delivery, false, now)
    else if (this.inflight.count < port.inflightMax)
      port.publish(this.inflight.take(delivery), delivery, false, now)
    else this.enqueue(delivery)
  }

  #isKnown(message: Message): boolean {
    return this.known!.has(placeOf(message)) || this.known!.has(nameOf(message) ?? '')
  }

  enqueue(delivery: Delivery): void {
    this.#world.counters.sessionDropped += this.queue.add(delivery)
  }

  /** PUBACK, or a message that is too large for the client. */
  acknowledged(id: number): void {
    if (this.inflight.acknowledge(id)) this.#drain()
  }

  pubrec(id: number, reason: number): void {
    if (reason >= 0x80) {
      if (this.inflight.refused(id)) this.#drain()
    } else this.port?.pubrel(id, this.inflight.received(id) ? SUCCESS : IDENTIFIER_NOT_FOUND)
  }

  pubcomp(id: number): void {
    if (this.inflight.completed(id)) this.#drain()
  }

  /** It cannot be sent at all: the exchange is over, whatever its QoS. [MQTT-3.1.2-25] */
  discarded(id: number): void {
    if (this.inflight.acknowledge(id) || this.inflight.refused(id)) this.#drain()
  }

  #drain(): void {
    const { port, queue, inflight } = this
    if (port === null || !this.#isStarted || this.#isFrozen) return
    const { counters } = this.#world
    const now = this.#world.now()
    for (let first = queue.first; first !== undefined; first = queue.first) {
      const isExpired = first.expiresAt <= now
      if (!isExpired && first.qos > 0 && inflight.count >= port.inflightMax) return
      queue.shift()
      if (isExpired)
        counters.sessionDroppedExpired++ // [MQTT-3.3.2-5]
      else port.publish(first.qos === 0 ? 0 : inflight.take(first), first, false, now)
    }
  }

  // ── from the client ──

  /** A PUBLISH of QoS 2: published once, however often it comes. False: the way is congested. */
  publish(id: number, message: Message): boolean {
    const arrival = this.received.arrived(id)
    if (arrival === 'received') this.port?.pubrec(id, SUCCESS)
    if (arrival !== 'new') return true
    message.receipt = this
    message.token = id
    message.publisher = this
    return this.#world.publish(message)
  }

  pubrel(id: number): void {
    this.port?.pubcomp(id, this.received.release(id) ? SUCCESS : IDENTIFIER_NOT_FOUND)
  }

  /** A publish of QoS 2 is safe, or has failed. */
  published(token: number, reason: number): void {
    if (this.hasMoved) return this.#world.settledElsewhere(this, token, reason)
    for (const pubrec of this.received.settle(token, reason)) this.port?.pubrec(pubrec.id, pubrec.reason)
  }
}
