// A gateway's hold on a session that may move to another node while the client is connected: what is said meanwhile is
// kept, in order, and said to where the session has gone. What a client has under way bounds how much that is.
import { ShoalError } from '../errors.ts'
import type { Message } from '../message.ts'
import type { Attachment } from './attachment.ts'
import type { SubscribeRequest } from './hosting.ts'

export class MovableAttachment implements Attachment {
  readonly present: boolean
  readonly expirySeconds: number
  /** Null while the session moves, and once it is lost. */
  #current: Attachment | null
  #waiting: ((to: Attachment) => void)[] = []
  #gaveUp: ((error: ShoalError) => void)[] = []
  #isLost = false
  readonly #whenDetached: () => void

  /** `whenDetached` is called once, when the connection is over. */
  constructor(first: Attachment, whenDetached: () => void) {
    this.#current = first
    this.#whenDetached = whenDetached
    this.present = first.present
    this.expirySeconds = first.expirySeconds
  }

  get publisher(): object | null {
    return this.#current?.publisher ?? null
  }

  /** The session begins to move. */
  freeze(): void {
    this.#current = null
  }

  /** The session has arrived. */
  moved(to: Attachment): void {
    this.#current = to
    this.#gaveUp = []
    for (const run of this.#waiting.splice(0)) run(to)
  }

  /** It has not, or its owner has gone. */
  lost(): void {
    this.#isLost = true
    this.#current = null
    this.#waiting = []
    for (const reject of this.#gaveUp.splice(0)) reject(new ShoalError('CLOSED'))
  }

  start(): void {
    this.#say(to => to.start())
  }

  acknowledged(id: number): void {
    this.#say(to => to.acknowledged(id))
  }

  pubrec(id: number, reason: number): void {
    this.#say(to => to.pubrec(id, reason))
  }

  pubcomp(id: number): void {
    this.#say(to => to.pubcomp(id))
  }

  discarded(id: number): void {
    this.#say(to => to.discarded(id))
  }

  publish(id: number, message: Message): boolean {
    if (this.#current !== null) return this.#current.publish(id, message)
    this.#say(to => to.publish(id, message))
    return false
  }

  pubrel(id: number): void {
    this.#say(to => to.pubrel(id))
  }

  subscribe(requests: readonly SubscribeRequest[], subscriptionsMax: number): Promise<number[]> {
    return this.#ask(to => to.subscribe(requests, subscriptionsMax))
  }

  unsubscribe(filters: readonly string[]): Promise<boolean[]> {
    return this.#ask(to => to.unsubscribe(filters))
  }

  async detach(isAbnormal: boolean, expirySeconds: number | null): Promise<void> {
    await this.#ask(to => to.detach(isAbnormal, expirySeconds)).catch(() => {})
    this.#whenDetached()
  }

  #say(run: (to: Attachment) => void): void {
    if (this.#current !== null) run(this.#current)
    else if (!this.#isLost) this.#waiting.push(run)
  }

  #ask<T>(ask: (of: Attachment) => Promise<T>): Promise<T> {
    if (this.#current !== null) return ask(this.#current)
    if (this.#isLost) return Promise.reject(new ShoalError('CLOSED'))
    return new Promise((resolve, reject) => {
      this.#gaveUp.push(reject)
      this.#waiting.push(to => ask(to).then(resolve, reject))
    })
  }
}
