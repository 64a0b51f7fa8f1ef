// Acknowledgements that wait for the end of the tick, so that a row of them becomes one range. What is
// acknowledged one by one and nearly in order leaves as few frames.
import type { OriginName } from '../message.ts'
import type { DataSender } from './data-sender.ts'

/** So many ranges are kept open; one more writes them all. */
const RANGES_MAX = 8

class Range {
  origin: OriginName | null = null
  first = 0
  last = 0
  reason = 0
}

export class Acks {
  readonly #sender: DataSender
  readonly #ranges: Range[]
  #count: number
  #delivered: number

  constructor(sender: DataSender) {
    this.#sender = sender
    this.#ranges = Array.from({ length: RANGES_MAX }, () => new Range())
    this.#count = 0
    this.#delivered = -1
  }

  /** Joins `first..last` to a range that it touches, or opens a new one. */
  published(origin: OriginName, first: number, last: number, reason: number): void {
    for (let i = this.#count - 1; i >= 0; i--) {
      const range = this.#ranges[i]!
      if (range.origin !== origin || range.reason !== reason) continue
      if (first === range.last + 1) {
        range.last = last
        return
      }
      if (last === range.first - 1) {
        range.first = first
        return
      }
    }
    if (this.#count === RANGES_MAX) this.#writeRanges()
    const range = this.#ranges[this.#count++]!
    range.origin = origin
    range.first = first
    range.last = last
    range.reason = reason
  }

  /** `count` takes in all before; only the last of a tick is written. */
  delivered(count: number): void {
    this.#delivered = count
  }

  /** Whether anything waits to be written. */
  get isEmpty(): boolean {
    return this.#count === 0 && this.#delivered === -1
  }

  write(): void {
    if (this.#count > 0) this.#writeRanges()
    if (this.#delivered !== -1) {
      this.#sender.deliverAck(this.#delivered)
      this.#delivered = -1
    }
  }

  #writeRanges(): void {
    for (let i = 0; i < this.#count; i++) {
      const range = this.#ranges[i]!
      this.#sender.publishAck(range.origin!, range.first, range.last, range.reason)
      range.origin = null
    }
    this.#count = 0
  }
}
