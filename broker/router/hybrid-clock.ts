// A hybrid logical clock: wall time as long as it moves on, a counter when it does not, and never
// behind what any other node has been heard to say. Orders retained messages and epochs across nodes.
// Source: Kulkarni, Demirbas et al., Logical Physical Clocks (OPODIS 2014).
import type { Clock } from '../runtime/clock.ts'

/** Stamps a millisecond holds. A stamp is `wall ms * 1024 + counter`, below 2^53 until the year 2248. */
const STAMPS_PER_MS = 1024
/** How far ahead of our wall clock another node's stamp may pull us. */
const AHEAD_MAX_MS = 24 * 3_600_000

export class HybridClock {
  readonly #clock: Clock
  readonly #salt: number
  #last = 0

  /** Clocks with different `salt` (an integer below 1024) never give the same stamp by `distinct`. */
  constructor(clock: Clock, salt: number) {
    this.#clock = clock
    this.#salt = salt
  }

  /** The last stamp given or heard. */
  get last(): number {
    return this.#last
  }

  /** A stamp greater than all that were given or heard before. */
  next(): number {
    const wall = Math.floor(this.#clock.wall()) * STAMPS_PER_MS
    this.#last = wall > this.#last ? wall : this.#last + 1
    return this.#last
  }

  /** As `next`, and different from what any clock of another salt gives by this method. Steps a millisecond ahead: not for every message. */
  distinct(): number {
    this.#last = (Math.floor(this.next() / STAMPS_PER_MS) + 1) * STAMPS_PER_MS + this.#salt
    return this.#last
  }

  /** Hears another node's stamp. One that is absurdly far ahead is ignored, lest one bad clock spoil all. */
  merge(stamp: number): void {
    if (!Number.isSafeInteger(stamp) || stamp <= this.#last) return
    if (stamp > (this.#clock.wall() + AHEAD_MAX_MS) * STAMPS_PER_MS) return
    this.#last = stamp
  }

  /** The stamp that was given `ageMs` ago. */
  before(ageMs: number): number {
    return Math.floor(this.#clock.wall() - ageMs) * STAMPS_PER_MS
  }
}
