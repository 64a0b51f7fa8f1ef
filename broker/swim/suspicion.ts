// Decides when a suspect member is dead. The deadline starts far away and comes nearer with each
// independent accuser: many witnesses, short trial.
// Source: Lifeguard (arXiv:1707.00788), LHA-Suspicion; SWIM (DSN 2002), section 4.2.
import type { Clock, Timer } from '../runtime/clock.ts'

/** The least time a suspect has: `multiplier · max(1, log10 n) · probeIntervalMs`. */
export function suspicionMinMs(multiplier: number, members: number, probeIntervalMs: number): number {
  return multiplier * Math.max(1, Math.log10(Math.max(1, members))) * probeIntervalMs
}

/** How many further accusers bring the deadline to the least time; 0 where there are too few members to accuse. */
export function accusersWanted(multiplier: number, members: number): number {
  const wanted = multiplier - 2
  return members - 2 < wanted ? 0 : wanted
}

/**
 * What is left to a suspect after `elapsedMs`, with `accusers` besides the first of `wanted`:
 * `max - (max - min) · log(accusers + 1) / log(wanted + 1)`, at least `min`, less what has passed. Negative when it is over.
 */
export function remainingSuspicionMs(
  accusers: number,
  wanted: number,
  elapsedMs: number,
  minMs: number,
  maxMs: number
): number {
  const share = wanted === 0 ? 1 : Math.log(accusers + 1) / Math.log(wanted + 1)
  return Math.max(minMs, maxMs - share * (maxMs - minMs)) - elapsedMs
}

export interface SuspicionOptions {
  clock: Clock
  accuser: string
  /** See `accusersWanted`. */
  wanted: number
  minMs: number
  maxMs: number
  /** A deadline noticed later than this says that our process stood still, and may not have read the refutation yet. */
  lateMs: number
  onDead: () => void
  /** Told when the deadline was noticed too late: the suspect has `minMs` again. */
  onStall: () => void
}

/** Calls `onDead` once, unless `cancel` comes first. Accusing twice counts once. Times are ms of `clock`. */
export class Suspicion {
  readonly #options: SuspicionOptions
  /** Whose accusation counted; at most `wanted + 1`. */
  readonly #accusers: Set<string>
  readonly #startedAt: number
  #deadlineAt = 0
  /** Not before this, after a stall. */
  #graceUntil = 0
  #timer: Timer

  constructor(options: SuspicionOptions) {
    this.#options = options
    this.#accusers = new Set([options.accuser])
    this.#startedAt = options.clock.now()
    this.#timer = this.#arm()
  }

  /** True if this is a new accuser that brings the deadline nearer: then others should hear of it. */
  accuse(accuser: string): boolean {
    if (this.#accusers.size > this.#options.wanted || this.#accusers.has(accuser)) return false
    this.#accusers.add(accuser)
    this.#timer.cancel()
    this.#timer = this.#arm()
    return true
  }

  cancel(): void {
    this.#timer.cancel()
  }

  #arm(): Timer {
    const { clock, wanted, minMs, maxMs } = this.#options
    const elapsedMs = clock.now() - this.#startedAt
    const leftMs = Math.max(
      0,
      this.#graceUntil - clock.now(),
      remainingSuspicionMs(this.#accusers.size - 1, wanted, elapsedMs, minMs, maxMs)
    )
    this.#deadlineAt = clock.now() + leftMs
    return clock.after(leftMs, () => this.#fire())
  }

  #fire(): void {
    const { clock, minMs, lateMs, onDead, onStall } = this.#options
    if (clock.now() - this.#deadlineAt <= lateMs) {
      onDead()
      return
    }
    this.#graceUntil = clock.now() + minMs
    this.#timer = this.#arm()
    onStall()
  }
}
