// A log for what strangers can cause as often as they like: it says the same thing once a minute, and no more than
// some things a minute. What it leaves out it counts, and says so in the next line.
import type { Clock } from './clock.ts'
import type { Log } from './log.ts'

const PERIOD_MS = 60_000
/** Different things in a period. */
const LINES_MAX = 20

export class LimitedLog {
  readonly #log: Log
  readonly #clock: Clock
  /** What was said in this period. */
  readonly #said = new Set<string>()
  #startedAt: number
  #unsaid = 0

  constructor(log: Log, clock: Clock) {
    this.#log = log
    this.#clock = clock
    this.#startedAt = clock.now()
  }

  /** A warning, unless the same `what` was said in this period or too much was. Its field `unsaid` counts what was not. */
  warn(what: string, fields: object, event: string): void {
    const now = this.#clock.now()
    if (now - this.#startedAt >= PERIOD_MS) {
      this.#startedAt = now
      this.#said.clear()
    }
    if (this.#said.has(what) || this.#said.size >= LINES_MAX) {
      this.#unsaid++
      return
    }
    this.#said.add(what)
    this.#log.warn(this.#unsaid === 0 ? fields : { ...fields, unsaid: this.#unsaid }, event)
    this.#unsaid = 0
  }
}
