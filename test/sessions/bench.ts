// A session's world without a cluster: time that is set, topics by name, messages that are published kept.
import { Message, type QoS, type TopicName } from '../../broker/message.ts'
import type { Delivery } from '../../broker/sessions/delivery.ts'
import { SESSION_LIMITS, SessionCounters, type SessionLimits } from '../../broker/sessions/limits.ts'
import {
  Session,
  type SessionPort,
  type SessionTerms,
  type SessionWorld
} from '../../broker/sessions/session.ts'
import type { Match, Subscriber } from '../../broker/topics/subscription.ts'

const topics = new Map<string, TopicName>()

export function topicOf(name: string): TopicName {
  const known = topics.get(name)
  if (known !== undefined) return known
  const topic = { name, bytes: Buffer.from(name) }
  topics.set(name, topic)
  return topic
}

export function messageWith(text: string, qos: QoS, properties: Uint8Array | null = null): Message {
  const payload = Buffer.from(text)
  const message = new Message(topicOf('t'), payload, 0, payload.length, qos, false)
  message.properties = properties
  return message
}

export class World implements SessionWorld {
  readonly counters = new SessionCounters()
  readonly limits: SessionLimits
  readonly published: Message[] = []
  time = 0
  ends = 0

  constructor(limits: Partial<SessionLimits> = {}) {
    this.limits = { ...SESSION_LIMITS, ...limits }
  }

  session(): Session {
    return new Session('client', this)
  }

  /** Moves time on, and tells the session when its deadline has passed. */
  advance(session: Session, ms: number): void {
    for (const end = this.time + ms; this.time < end; this.time = Math.min(end, this.time + 1000)) {
      if (session.deadline <= this.time) session.deadlinePassed(this.time)
    }
    if (session.deadline <= this.time) session.deadlinePassed(this.time)
  }

  now(): number {
    return this.time
  }

  topic(name: string): TopicName {
    return topicOf(name)
  }

  publish(message: Message): boolean {
    this.published.push(message)
    return true
  }

  /** What was published and not looked at yet. */
  get texts(): string[] {
    return this.published.splice(0).map(message => Buffer.from(message.payload()).toString())
  }

  deadlineChanged(): void {}

  ended(): void {
    this.ends++
  }

  settledElsewhere(): void {}
}

/** A connection that writes down what it is told: `publish 1 text qos1 dup`. */
export class Port implements SessionPort {
  isCongested = false
  readonly inflightMax: number
  #said: string[] = []

  constructor(inflightMax = 10) {
    this.inflightMax = inflightMax
  }

  publish(id: number, { message, qos }: Delivery, dup: boolean): void {
    const text = Buffer.from(message.payload()).toString()
    this.#said.push(`publish ${id} ${text} qos${qos}${dup ? ' dup' : ''}`)
  }

  pubrel(id: number, reason: number): void {
    this.#said.push(`pubrel ${id}${reason === 0 ? '' : ` ${reason}`}`)
  }

  pubrec(id: number, reason: number): void {
    this.#said.push(`pubrec ${id}${reason === 0 ? '' : ` ${reason}`}`)
  }

  pubcomp(id: number, reason: number): void {
    this.#said.push(`pubcomp ${id}${reason === 0 ? '' : ` ${reason}`}`)
  }

  /** What it was told since the last call. */
  get said(): string[] {
    return this.#said.splice(0)
  }
}

export function matchOf(subscriber: Subscriber, qos: QoS, noLocal = false): Match {
  return { subscriber, qos, noLocal, retainAsPublished: false, identifiers: [] }
}

export const kept: SessionTerms = { expirySeconds: 3600, will: null }

/** A connection that has the session, and its CONNACK. */
export function connected(session: Session, terms = kept, port = new Port()): Port {
  session.attach(port, terms)
  session.start(port)
  return port
}
