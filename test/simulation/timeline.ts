// Virtual time: everything that will happen, in a binary heap ordered by (time, sequence). Two events of the
// same instant happen in the order in which they were scheduled, which is what makes a run repeatable.
// A cancelled event stays in the heap without its callback, and is swept when such make up half of it.

export interface ScheduledEvent {
  readonly at: number
  readonly sequence: number
  /** The host it happens on, or '' for the simulation itself. */
  readonly owner: string
  /** What it is, for traces: `timer`, `datagram`, `segment`. */
  readonly kind: string
  /** Null once it was taken or cancelled. */
  run: (() => void) | null
}

const SWEEP_MIN = 1024

export class Timeline {
  /** Virtual milliseconds since the start of the simulation. Moved by `take` and `rest` only. */
  now = 0
  #heap: ScheduledEvent[] = []
  #sequence = 0
  #cancelled = 0

  /** Events that are still to happen. */
  get pending(): number {
    return this.#heap.length - this.#cancelled
  }

  /** Schedules at an absolute time; a time that is past means now. */
  at(time: number, owner: string, kind: string, run: () => void): ScheduledEvent {
    const at = Math.max(time, this.now)
    const event: ScheduledEvent = { at, sequence: this.#sequence++, owner, kind, run }
    this.#heap.push(event)
    this.#rise(this.#heap.length - 1)
    return event
  }

  /** Does nothing if the event has happened or was cancelled. */
  cancel(event: ScheduledEvent): void {
    if (event.run === null) return
    event.run = null
    this.#cancelled++
    if (this.#cancelled > SWEEP_MIN && this.#cancelled * 2 > this.#heap.length) this.#sweep()
  }

  /** Takes the next event that happens at `until` or before, and moves time to it; null if there is none. */
  take(until: number): { owner: string; kind: string; run: () => void } | null {
    for (;;) {
      const event = this.#heap[0]
      if (event === undefined || event.at > until) return null
      this.#removeFirst()
      const run = event.run
      if (run === null) {
        this.#cancelled--
        continue
      }
      event.run = null
      this.now = event.at
      return { owner: event.owner, kind: event.kind, run }
    }
  }

  /** Moves time forward over a stretch in which nothing happens. */
  rest(until: number): void {
    if (until > this.now) this.now = until
  }

  #removeFirst(): void {
    const last = this.#heap.pop()!
    if (this.#heap.length === 0) return
    this.#heap[0] = last
    this.#sink(0)
  }

  #rise(start: number): void {
    const heap = this.#heap
    const event = heap[start]!
    let index = start
    while (index > 0) {
      const parent = (index - 1) >>> 1
      if (before(heap[parent]!, event)) break
      heap[index] = heap[parent]!
      index = parent
    }
    heap[index] = event
  }

  #sink(start: number): void {
    const heap = this.#heap
    const event = heap[start]!
    let index = start
    for (;;) {
      let child = index * 2 + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++
      if (before(event, heap[child]!)) break
      heap[index] = heap[child]!
      index = child
    }
    heap[index] = event
  }

  #sweep(): void {
    this.#heap = this.#heap.filter(event => event.run !== null)
    this.#cancelled = 0
    for (let index = (this.#heap.length >>> 1) - 1; index >= 0; index--) this.#sink(index)
  }
}

function before(a: ScheduledEvent, b: ScheduledEvent): boolean {
  return a.at < b.at || (a.at === b.at && a.sequence < b.sequence)
}
