// Calls made before the other side has said hello: they are made in their order when it has. A connection that never
// comes about fails them by their deadline.
import { ShoalError } from '../errors.ts'
import type { Clock, Timer } from '../runtime/clock.ts'

interface Early {
  readonly call: () => void
  readonly fail: (error: Error) => void
  readonly timer: Timer
}

export interface EarlyLimits {
  timeoutMs: number
  requestsMax: number
}

export class EarlyCalls {
  readonly #clock: Clock
  readonly #limits: EarlyLimits
  readonly #waiting = new Set<Early>()

  constructor(clock: Clock, limits: EarlyLimits) {
    this.#clock = clock
    this.#limits = limits
  }

  get size(): number {
    return this.#waiting.size
  }

  /** `fail` is called later, instead of `call`: TIMEOUT, LINK_FULL if too many wait, or what `close` is given. */
  add(call: () => void, fail: (error: Error) => void): void {
    const { timeoutMs, requestsMax } = this.#limits
    if (this.#waiting.size >= requestsMax) {
      this.#clock.defer(() => fail(new ShoalError('LINK_FULL', { requestsMax })))
      return
    }
    const timer = this.#clock.after(timeoutMs, () => {
      this.#waiting.delete(early)
      fail(new ShoalError('TIMEOUT', { connection: 'no hello', timeoutMs }))
    })
    const early: Early = { call, fail, timer }
    this.#waiting.add(early)
  }

  /** Makes all calls. */
  open(): void {
    for (const early of this.#take()) early.call()
  }

  close(error: ShoalError): void {
    for (const early of this.#take()) early.fail(error)
  }

  #take(): Early[] {
    const taken = [...this.#waiting]
    this.#waiting.clear()
    for (const { timer } of taken) timer.cancel()
    return taken
  }
}
