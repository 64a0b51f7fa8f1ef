// A steady rate, also when timers are late: each tick does what is due by now.

const TICK_MS = 5
/** After a stall no more than this is made up for. */
const CATCH_UP_MS_MAX = 200

export class Pacer {
  readonly #perSecond: number
  readonly #run: (count: number) => void
  #timer: NodeJS.Timeout | null = null
  #lastMs = 0
  #due = 0

  /** `run` is called with how many are due, 1 or more. */
  constructor(perSecond: number, run: (count: number) => void) {
    this.#perSecond = perSecond
    this.#run = run
  }

  start(): void {
    this.#lastMs = performance.now()
    this.#timer ??= setInterval(() => this.#tick(), TICK_MS)
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#timer = null
  }

  #tick(): void {
    const now = performance.now()
    this.#due += (Math.min(now - this.#lastMs, CATCH_UP_MS_MAX) / 1000) * this.#perSecond
    this.#lastMs = now
    const count = Math.floor(this.#due)
    this.#due -= count
    if (count > 0) this.#run(count)
  }
}
