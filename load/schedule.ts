// Open loop: publishers that take turns at a fixed interval. A message is due when its turn comes, whatever
// became of those before it.
import type { Publisher } from './publisher.ts'

export class Schedule {
  readonly publishers: Publisher[] = []
  /** When the next message is due, µs; infinite without publishers. */
  nextUs = Number.POSITIVE_INFINITY
  readonly #intervalUs: number
  #startUs = 0
  /** Messages due so far. */
  #due = 0

  /** `intervalUs` lies between two messages of all `publishers` together. */
  constructor(intervalUs: number) {
    this.#intervalUs = intervalUs
  }

  /** The first message is due at `timeUs`. */
  start(timeUs: number): void {
    this.#startUs = timeUs
    this.#due = 0
    if (this.publishers.length > 0) this.nextUs = timeUs
    this.publishers.forEach((publisher, index) => {
      publisher.startUs = timeUs + index * this.#intervalUs
    })
  }

  /**
   * Tells publishers what is due at `timeUs` and, if `send`, has those whose turn came since the last call send it.
   * Returns whether something could not leave.
   */
  advance(timeUs: number, send: boolean): boolean {
    const { publishers } = this
    if (publishers.length === 0 || timeUs < this.nextUs) return false
    const due = Math.floor((timeUs - this.#startUs) / this.#intervalUs) + 1
    for (let i = 0; i < publishers.length; i++) {
      publishers[i]!.due = Math.floor((due - 1 - i) / publishers.length) + 1
    }
    let owing = false
    const turns = send ? Math.min(due - this.#due, publishers.length) : 0
    for (let i = 0; i < turns; i++) {
      owing = publishers[(this.#due + i) % publishers.length]!.pump(timeUs) || owing
    }
    this.#due = due
    this.nextUs = this.#startUs + due * this.#intervalUs
    return owing
  }

  /** Has all publishers send what is due. Returns whether something could not leave. */
  pump(timeUs: number): boolean {
    let owing = false
    for (const publisher of this.publishers) owing = publisher.pump(timeUs) || owing
    return owing
  }
}
