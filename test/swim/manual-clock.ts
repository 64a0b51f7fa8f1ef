// A clock that stands still until a test moves it: for parts that need time but no network.
import type { Clock, Timer } from '../../broker/runtime/clock.ts'

interface Alarm {
  dueAt: number
  run: () => void
}

export class ManualClock implements Clock {
  #now = 0
  readonly #alarms = new Set<Alarm>()

  get timers(): number {
    return this.#alarms.size
  }

  now(): number {
    return this.#now
  }

  wall(): number {
    return this.#now
  }

  after(delayMs: number, run: () => void): Timer {
    const alarm = { dueAt: this.#now + delayMs, run }
    this.#alarms.add(alarm)
    return { cancel: () => this.#alarms.delete(alarm) }
  }

  every(): Timer {
    throw new Error('no periods here')
  }

  defer(run: () => void): void {
    this.after(0, run)
  }

  /** Runs all that is due on the way, each at its time. */
  advance(ms: number): void {
    const until = this.#now + ms
    for (let next = this.#first(until); next !== null; next = this.#first(until)) {
      this.#now = Math.max(this.#now, next.dueAt)
      this.#alarms.delete(next)
      next.run()
    }
    this.#now = until
  }

  /** As a process that was stopped: what was due on the way runs only now. */
  stall(ms: number): void {
    this.#now += ms
    this.advance(0)
  }

  #first(until: number): Alarm | null {
    const due = [...this.#alarms].filter(alarm => alarm.dueAt <= until)
    return due.sort((a, b) => a.dueAt - b.dueAt)[0] ?? null
  }
}
