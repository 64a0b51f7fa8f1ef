// Takes turns at a listening socket that several threads accept from. Whoever is awake takes the next connection, so that
// one thread could get most of them; one that has more than the others therefore holds still for a moment
// after it has taken another, and leaves the next to them.

/** Nobody steps back for so few connections, plus one in sixteen, more than the thread with the fewest. */
const LEAD_MAX = 4
const LEAD_PART = 1 / 16
/** Long enough for the system to wake another thread. */
const PAUSE_MS = 0.3

/** The count of a thread that does not accept. */
const ABSENT = -1

export class Turns {
  readonly #counts: Int32Array
  readonly #index: number

  /** `memory` is what `memoryFor` made; `index` is the place of this thread in it. */
  constructor(memory: SharedArrayBuffer, index: number) {
    this.#counts = new Int32Array(memory)
    this.#index = index
  }

  /** The memory that all threads share; at first none of them accepts. */
  static memoryFor(threads: number): SharedArrayBuffer {
    const memory = new SharedArrayBuffer(threads * Int32Array.BYTES_PER_ELEMENT)
    new Int32Array(memory).fill(ABSENT)
    return memory
  }

  /** Says how many connections this thread has. */
  count(connections: number): void {
    Atomics.store(this.#counts, this.#index, connections)
  }

  /** This thread accepts no more: nobody waits for it to catch up. */
  leave(): void {
    this.count(ABSENT)
  }

  /** A connection has been taken, and there are so many now: holds still if that is too many. */
  taken(connections: number): void {
    this.count(connections)
    if (connections <= this.#fewest() * (1 + LEAD_PART) + LEAD_MAX) return
    // Nobody changes or wakes this: it is a pause of less than a timer's shortest.
    Atomics.wait(this.#counts, this.#index, connections, PAUSE_MS)
  }

  #fewest(): number {
    let fewest = Number.POSITIVE_INFINITY
    for (let i = 0; i < this.#counts.length; i++) {
      const count = Atomics.load(this.#counts, i)
      if (count !== ABSENT && count < fewest) fewest = count
    }
    return fewest
  }
}
