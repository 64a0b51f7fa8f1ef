// How long to wait before the next attempt: twice as long each time, up to a bound, and never the same
// for two clients, so that those who lost a node together do not return together.
// Source: "Exponential Backoff And Jitter" (AWS Architecture Blog, 2015), equal jitter.

export interface BackoffOptions {
  /** The first delay is half of it to all of it. */
  minMs: number
  maxMs: number
}

export class Backoff {
  readonly #options: BackoffOptions
  readonly #random: () => number
  #attempts = 0

  constructor(options: BackoffOptions, random: () => number) {
    this.#options = options
    this.#random = random
  }

  /** The delay before the next attempt in ms. */
  next(): number {
    const { minMs, maxMs } = this.#options
    const bound = Math.min(maxMs, minMs * 2 ** Math.min(this.#attempts++, 30))
    return (bound * (1 + this.#random())) / 2
  }

  /** A connection has held: begin again with short delays. */
  reset(): void {
    this.#attempts = 0
  }
}
