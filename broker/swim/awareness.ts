// How well this node itself is: it doubts its own ears before it accuses others. Every sign of
// trouble at home (no nacks, being suspected, timers that fire late) makes its timeouts longer.
// Source: Lifeguard (arXiv:1707.00788), LHA-Probe: the local health multiplier.

export class Awareness {
  readonly #max: number
  #score = 0

  /** The score stays in 0..max - 1. */
  constructor(max: number) {
    this.#max = max
  }

  /** 0 is healthy. */
  get score(): number {
    return this.#score
  }

  /** Positive for trouble, negative for success. */
  add(delta: number): void {
    this.#score = Math.min(this.#max - 1, Math.max(0, this.#score + delta))
  }

  /** A timeout as long as our health asks for: `ms · (score + 1)`. */
  scale(ms: number): number {
    return ms * (this.#score + 1)
  }
}

/**
 * What a failed probe says of ourselves: asked `mediators` to ping for us, heard `nacks`. Those that are missing may be our
 * fault; where there was nobody to ask, so may the failure be.
 */
export function failedProbeDelta(mediators: number, nacks: number): number {
  return mediators === 0 ? 1 : Math.max(0, mediators - nacks)
}
