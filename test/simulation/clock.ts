// The clock that one simulated process is given. Timers are events of the timeline that enter the process;
// as with Node's, the shortest delay is a millisecond, and all that is deferred in one tick runs together.
import type { Clock, Timer } from '../../broker/runtime/clock.ts'
import type { SimulatedProcess } from './process.ts'
import type { ScheduledEvent, Timeline } from './timeline.ts'

/** What `wall` says at the start of a simulation: 2025-01-01T00:00:00Z. */
export const WALL_START_MS = Date.UTC(2025, 0, 1)

const DELAY_MIN_MS = 1

export class SimulatedClock implements Clock {
  readonly #process: SimulatedProcess
  readonly #timeline: Timeline
  readonly #wallSkewMs: () => number
  readonly #timers = new Set<SimulatedTimer>()
  #deferred: (() => void)[] = []

  constructor(process: SimulatedProcess, timeline: Timeline, wallSkewMs: () => number) {
    this.#process = process
    this.#timeline = timeline
    this.#wallSkewMs = wallSkewMs
  }

  /** Timers that have neither fired for the last time nor been cancelled. */
  get openTimers(): number {
    return this.#process.alive ? this.#timers.size : 0
  }

  now(): number {
    return this.#timeline.now
  }

  wall(): number {
    return WALL_START_MS + this.#timeline.now + this.#wallSkewMs()
  }

  after(delayMs: number, run: () => void): Timer {
    return this.#start(delayMs, run, false)
  }

  every(periodMs: number, run: () => void): Timer {
    return this.#start(periodMs, run, true)
  }

  defer(run: () => void): void {
    if (!this.#process.alive) return
    this.#deferred.push(run)
    if (this.#deferred.length > 1) return
    this.#timeline.at(this.#timeline.now, this.#process.host, 'defer', () =>
      this.#process.enter(this.#runDeferred)
    )
  }

  #start(delayMs: number, run: () => void, repeats: boolean): Timer {
    const timer = new SimulatedTimer(this.#process, this.#timeline, this.#timers, delayMs, run, repeats)
    if (this.#process.alive) timer.start()
    return timer
  }

  #runDeferred = (): void => {
    const runs = this.#deferred
    this.#deferred = []
    for (const run of runs) run()
  }
}

class SimulatedTimer implements Timer {
  readonly #process: SimulatedProcess
  readonly #timeline: Timeline
  readonly #open: Set<SimulatedTimer>
  readonly #delayMs: number
  readonly #run: () => void
  readonly #repeats: boolean
  #event: ScheduledEvent | null = null

  constructor(
    process: SimulatedProcess,
    timeline: Timeline,
    open: Set<SimulatedTimer>,
    delayMs: number,
    run: () => void,
    repeats: boolean
  ) {
    this.#process = process
    this.#timeline = timeline
    this.#open = open
    this.#delayMs = Math.max(delayMs, DELAY_MIN_MS)
    this.#run = run
    this.#repeats = repeats
  }

  start(): void {
    this.#open.add(this)
    this.#event = this.#timeline.at(this.#timeline.now + this.#delayMs, this.#process.host, 'timer', () =>
      this.#process.enter(this.#fire)
    )
  }

  cancel(): void {
    this.#open.delete(this)
    if (this.#event !== null) this.#timeline.cancel(this.#event)
    this.#event = null
  }

  // Between the event and this call the process may have been stopped for long, and the timer cancelled.
  #fire = (): void => {
    if (!this.#open.has(this)) return
    if (this.#repeats) this.start()
    else this.#open.delete(this)
    this.#run()
  }
}
