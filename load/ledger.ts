// What one subscriber has of each stream it should see: counts what was lost, came twice, or came
// out of order. A gap counts as lost until the missing message turns up late; then it was reordered.
import { COUNTER, type Row } from './board.ts'

/** Missing sequences remembered per subscriber; beyond it a late arrival counts as duplicated. */
const MISSING_MAX = 65_536

export class Ledger {
  readonly firstStream: number
  readonly streams: number
  /** Per stream: the sequence that should come next. */
  readonly next: Uint32Array
  readonly row: Row
  #missing: Set<number> | undefined

  /** Expects `streams` streams numbered from `firstStream`; counts into `row`. */
  constructor(row: Row, firstStream: number, streams: number) {
    this.row = row
    this.firstStream = firstStream
    this.streams = streams
    this.next = new Uint32Array(streams)
  }

  /** Takes one delivery. Sequences of a stream are unique up to 2³². */
  take(stream: number, sequence: number): void {
    const index = stream - this.firstStream
    if (index < 0 || index >= this.streams) {
      this.row.counters[COUNTER.foreign]! += 1
      return
    }
    const expected = this.next[index]!
    if (sequence === expected) {
      this.next[index] = expected + 1
      this.row.settled[stream]! += 1
    } else {
      this.#irregular(index, sequence, expected)
    }
  }

  /** After the last message: counts what `published[stream]` says was sent and never came. */
  close(published: Float64Array): void {
    for (let index = 0; index < this.streams; index++) {
      const tail = published[this.firstStream + index]! - this.next[index]!
      if (tail > 0) this.row.counters[COUNTER.lost]! += tail
    }
  }

  #irregular(index: number, sequence: number, expected: number): void {
    const { counters, settled } = this.row
    const stream = this.firstStream + index
    if (sequence > expected) {
      counters[COUNTER.lost]! += sequence - expected
      settled[stream]! += sequence - expected + 1
      this.next[index] = sequence + 1
      this.#missing ??= new Set()
      for (let gone = expected; gone < sequence && this.#missing.size < MISSING_MAX; gone++) {
        this.#missing.add(index * 2 ** 32 + gone)
      }
    } else if (this.#missing?.delete(index * 2 ** 32 + sequence)) {
      counters[COUNTER.lost]! -= 1
      counters[COUNTER.reordered]! += 1
    } else {
      counters[COUNTER.duplicated]! += 1
    }
  }
}
