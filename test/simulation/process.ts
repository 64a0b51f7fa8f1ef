// A process of a simulated host, as the kernel sees it: it runs, is stopped (SIGSTOP), or is gone. Whatever
// calls into the broker goes through `enter`, which is therefore the one place where a stopped process
// keeps its callbacks for later and a dead one loses them for good.
import type { Timeline } from './timeline.ts'

export class SimulatedProcess {
  readonly host: string
  readonly #timeline: Timeline
  #alive = true
  #paused = false
  #held: (() => void)[] = []
  #draining = false

  constructor(host: string, timeline: Timeline) {
    this.host = host
    this.#timeline = timeline
  }

  get alive(): boolean {
    return this.#alive
  }

  get paused(): boolean {
    return this.#paused
  }

  /** Runs now; or when the process goes on, in the order of entering; or never if it has died by then. */
  enter(run: () => void): void {
    if (!this.#alive) return
    if (this.#paused || this.#held.length > 0) this.#held.push(run)
    else run()
  }

  pause(): void {
    this.#paused = true
  }

  resume(): void {
    this.#paused = false
    this.#drain()
  }

  kill(): void {
    this.#alive = false
    this.#held = []
  }

  // One held callback an event, so that promises settle between them as they do elsewhere.
  #drain(): void {
    if (this.#held.length === 0 || this.#draining) return
    this.#draining = true
    this.#timeline.at(this.#timeline.now, this.host, 'resume', () => {
      this.#draining = false
      if (this.#paused || !this.#alive) return
      const run = this.#held[0]
      if (run === undefined) return
      try {
        run()
      } finally {
        this.#held.shift()
        this.#drain()
      }
    })
  }
}
