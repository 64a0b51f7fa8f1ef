// Waits until all messages of a request that were published at QoS 1 have their receipts.
import type { Message, Receipt } from '../../broker/message.ts'
import type { Clock, Timer } from '../../broker/runtime/clock.ts'

/** The reason of a message without a receipt: at QoS 0, or not in time. */
export const NO_RECEIPT = -1

/** Settles once, at the last receipt or the deadline. */
export class Receipts implements Receipt {
  /** A PUBACK reason code for each message, or NO_RECEIPT. */
  readonly reasons: number[]
  #missing = 0
  #timer: Timer | null = null
  #done: (() => void) | null = null

  constructor(messages: readonly Message[]) {
    this.reasons = messages.map(() => NO_RECEIPT)
    messages.forEach((message, index) => {
      if (message.qos === 0) return
      message.receipt = this
      message.token = index
      this.#missing++
    })
  }

  get isComplete(): boolean {
    return this.#missing === 0
  }

  published(token: number, reason: number): void {
    if (this.reasons[token] !== NO_RECEIPT) return
    this.reasons[token] = reason
    this.#missing--
    if (this.#missing === 0) this.#settle()
  }

  /** Calls `done` when all receipts are there, or after `timeoutMs`; at once if they are. */
  whenDone(clock: Clock, timeoutMs: number, done: () => void): void {
    if (this.isComplete) return done()
    this.#done = done
    this.#timer = clock.after(timeoutMs, () => this.#settle())
  }

  /** The client has gone: `done` will not be called. */
  cancel(): void {
    this.#timer?.cancel()
    this.#done = null
  }

  #settle(): void {
    this.#timer?.cancel()
    const done = this.#done
    this.#done = null
    done?.()
  }
}
