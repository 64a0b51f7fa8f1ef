// Gathers the connections that have output, and has each write it once at the end of the tick.
import type { Clock } from '../../broker/runtime/clock.ts'

/** Something with output that waits. */
export interface Flushable {
  /** Writes it. Must not throw. */
  flush(): void
}

export class Flusher {
  readonly #clock: Clock
  #dirty: Flushable[] = []
  #spare: Flushable[] = []
  #run: () => void

  constructor(clock: Clock) {
    this.#clock = clock
    this.#run = () => {
      const dirty = this.#dirty
      this.#dirty = this.#spare
      for (let i = 0; i < dirty.length; i++) dirty[i]!.flush()
      dirty.length = 0
      this.#spare = dirty
    }
  }

  /** Has `connection` flushed at the end of this tick. The caller adds each once a tick. */
  add(connection: Flushable): void {
    if (this.#dirty.length === 0) this.#clock.defer(this.#run)
    this.#dirty.push(connection)
  }
}
