// A connection's hold on its session: what a gateway says to it. Where the session is hosted by the gateway's own node
// these are calls; else they are operations on the way to the owner (remote.ts), which makes the same calls there.
import { ShoalError } from '../errors.ts'
import type { Message } from '../message.ts'
import type { Hosting, SubscribeRequest } from './hosting.ts'
import type { Session, SessionPort } from './session.ts'

const PARALLEL_MAX = 64
/** MQTT 5 reason codes of SUBACK. */
const IMPLEMENTATION_SPECIFIC = 0x83
const TOPIC_FILTER_INVALID = 0x8f
const QUOTA_EXCEEDED = 0x97

/** What a gateway does with a session. After `detach`, and once another connection has the session, all of it does nothing. */
export interface Attachment {
  /** Who publishes what the client publishes, for No Local; null: nobody knows it here. */
  readonly publisher: object | null
  /** The session was there before. */
  readonly present: boolean
  /** Granted; 4,294,967,295: for ever. */
  readonly expirySeconds: number
  /** The client has its CONNACK, and may be sent to. */
  start(): void
  acknowledged(id: number): void
  pubrec(id: number, reason: number): void
  pubcomp(id: number): void
  /** A delivery that the client cannot take. */
  discarded(id: number): void
  /** A PUBLISH of QoS 2. False: the way is congested; it was taken all the same. */
  publish(id: number, message: Message): boolean
  pubrel(id: number): void
  /** Settles with a code of SUBACK each: granted QoS, or >= 0x80. Retained messages follow. Rejects: CLOSED. */
  subscribe(requests: readonly SubscribeRequest[], subscriptionsMax: number): Promise<number[]>
  /** Settles with whether there was one, each. Rejects: CLOSED. */
  unsubscribe(filters: readonly string[]): Promise<boolean[]>
  /** Settles when the session knows. `expirySeconds`: as DISCONNECT has changed it. Never rejects. */
  detach(isAbnormal: boolean, expirySeconds: number | null): Promise<void>
}

export class LocalAttachment implements Attachment {
  readonly present: boolean
  readonly expirySeconds: number
  readonly publisher: object
  readonly #hosting: Hosting
  readonly #session: Session
  readonly #port: SessionPort
  readonly #pending = new Set<Promise<unknown>>()

  constructor(hosting: Hosting, session: Session, port: SessionPort, present: boolean) {
    this.#hosting = hosting
    this.#session = session
    this.#port = port
    this.present = present
    this.publisher = session
    this.expirySeconds = session.expirySeconds
  }

  get #isMine(): boolean {
    return this.#session.port === this.#port
  }

  start(): void {
    this.#session.start(this.#port, true)
  }

  acknowledged(id: number): void {
    if (this.#isMine) this.#session.acknowledged(id)
  }

  pubrec(id: number, reason: number): void {
    if (this.#isMine) this.#session.pubrec(id, reason)
  }

  pubcomp(id: number): void {
    if (this.#isMine) this.#session.pubcomp(id)
  }

  discarded(id: number): void {
    if (this.#isMine) this.#session.discarded(id)
  }

  publish(id: number, message: Message): boolean {
    return this.#isMine ? this.#session.publish(id, message) : true
  }

  pubrel(id: number): void {
    if (this.#isMine) this.#session.pubrel(id)
  }

  /** Settles when what is being subscribed to now is. */
  async idle(): Promise<void> {
    await Promise.allSettled([...this.#pending])
  }

  subscribe(requests: readonly SubscribeRequest[], subscriptionsMax: number): Promise<number[]> {
    const done = this.#subscribeAll(requests, subscriptionsMax)
    this.#pending.add(done)
    const forget = (): void => void this.#pending.delete(done)
    done.then(forget, forget)
    return done
  }

  async #subscribeAll(requests: readonly SubscribeRequest[], subscriptionsMax: number): Promise<number[]> {
    const codes: number[] = []
    for (let at = 0; at < requests.length; at += PARALLEL_MAX) {
      const some = requests.slice(at, at + PARALLEL_MAX)
      codes.push(...(await Promise.all(some.map(request => this.#subscribe(request, subscriptionsMax)))))
      if (!this.#isMine) throw new ShoalError('CLOSED', { client: this.#session.clientId })
    }
    return codes
  }

  async #subscribe(request: SubscribeRequest, subscriptionsMax: number): Promise<number> {
    const session = this.#session
    if (!this.#isMine) return IMPLEMENTATION_SPECIFIC
    const { subscriptions } = session
    if (!subscriptions.has(request.filter) && subscriptions.size >= subscriptionsMax) return QUOTA_EXCEEDED
    try {
      await this.#hosting.subscribe(session, request)
      return request.options.qos
    } catch (error) {
      if (!(error instanceof ShoalError)) throw error
      return error.code === 'FILTER_INVALID' ? TOPIC_FILTER_INVALID : IMPLEMENTATION_SPECIFIC
    }
  }

  unsubscribe(filters: readonly string[]): Promise<boolean[]> {
    if (!this.#isMine) return Promise.reject(new ShoalError('CLOSED', { client: this.#session.clientId }))
    return Promise.resolve(filters.map(filter => this.#hosting.unsubscribe(this.#session, filter)))
  }

  detach(isAbnormal: boolean, expirySeconds: number | null): Promise<void> {
    this.#session.detach(this.#port, isAbnormal, expirySeconds ?? this.#session.expirySeconds)
    return Promise.resolve()
  }
}
