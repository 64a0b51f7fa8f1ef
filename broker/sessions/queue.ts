// What waits for a session: oldest first, so many and so many bytes at most. Full: the oldest makes room, or
// the newest finds none; either is counted by who adds.
//
//   items   ×  ×  c  d  e        × is taken; when half of them are, the rest moves to the front
//                 ▲ head
import { bytesOf, type Delivery } from './delivery.ts'

export type Overflow = 'drop-oldest' | 'drop-newest'

/** Places of taken items are given back when there are so many. */
const TAKEN_MAX = 64

export class SessionQueue {
  readonly countMax: number
  readonly bytesMax: number
  readonly overflow: Overflow
  bytes = 0
  #items: (Delivery | undefined)[] = []
  #head = 0

  constructor(countMax: number, bytesMax: number, overflow: Overflow) {
    this.countMax = countMax
    this.bytesMax = bytesMax
    this.overflow = overflow
  }

  get count(): number {
    return this.#items.length - this.#head
  }

  /** The oldest; undefined: there is none. */
  get first(): Delivery | undefined {
    return this.#items[this.#head]
  }

  /** Adds at the end. Returns how many were dropped for it; the new one itself among them. */
  add(delivery: Delivery): number {
    const bytes = bytesOf(delivery)
    let dropped = 0
    while (this.count >= this.countMax || this.bytes + bytes > this.bytesMax) {
      dropped++
      if (this.overflow === 'drop-newest' || this.count === 0) return dropped
      this.shift()
    }
    this.#items.push(delivery)
    this.bytes += bytes
    return dropped
  }

  /** Takes the oldest; undefined: there is none. */
  shift(): Delivery | undefined {
    const delivery = this.#items[this.#head]
    if (delivery === undefined) return undefined
    this.#items[this.#head++] = undefined
    this.bytes -= bytesOf(delivery)
    if (this.#head >= TAKEN_MAX && this.#head * 2 >= this.#items.length) {
      this.#items = this.#items.slice(this.#head)
      this.#head = 0
    }
    return delivery
  }

  /** Takes all that waits, oldest first. */
  takeAll(): Delivery[] {
    const all = [...this]
    this.#items = []
    this.#head = 0
    this.bytes = 0
    return all
  }

  /** All that waits, oldest first. */
  *[Symbol.iterator](): Generator<Delivery> {
    for (let i = this.#head; i < this.#items.length; i++) yield this.#items[i]!
  }
}
