// Time as the broker sees it. Nothing in broker/ reads a clock or sets a timer except through
// this interface, so that a simulation can run a whole cluster on a virtual clock.

/** A timer that has been set. Cancelling one that has fired, or was cancelled, does nothing. */
export interface Timer {
  cancel(): void
}

export interface Clock {
  /** Milliseconds since an arbitrary start; never goes back. Fractions allowed. */
  now(): number
  /** Milliseconds since the Unix epoch, as the machine believes; may jump. */
  wall(): number
  /** Calls `run` once, `delayMs` from now at the earliest. Does not keep the process alive by itself. */
  after(delayMs: number, run: () => void): Timer
  /** Calls `run` every `periodMs`, first after one period. Does not keep the process alive by itself. */
  every(periodMs: number, run: () => void): Timer
  /** Calls `run` once when all input that is ready now has been handled: where output is gathered and written. */
  defer(run: () => void): void
}
