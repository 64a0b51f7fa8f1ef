// Messages of QoS 1 and 2 sent to a client and not acknowledged. Ids are given in a circle, so an id says its
// place in the row: acknowledging is arithmetic, in order or not, and nothing is kept a message.
//
//   ids    … 7  8  9 10 11 12 …          acknowledged out of order: 9 (marked)
//             ▲ first        ▲ next      8 acknowledged: `first` passes 8 and 9

/** Ids are 1..IDS. */
export const IDS = 65_535

export class Inflight {
  /** Most unacknowledged at once, 1..65,535. */
  readonly max: number
  /** Unacknowledged now. */
  count = 0
  /** The row's places: they count on without end, an id is `place % 65,535 + 1`. */
  first = 0
  next = 0
  /** Marks those acknowledged out of order, by place & mask. Made for the first of them. */
  marks: Uint8Array | null = null
  /** A power of two, from `max` on. */
  readonly size: number

  constructor(max: number) {
    this.max = max
    let size = 16
    while (size < max) size *= 2
    this.size = size
  }

  /**
   * How many more may be sent. One that is never acknowledged lets at most `size` pass it (and never as many as
   * there are ids).
   */
  get room(): number {
    return Math.min(this.max - this.count, this.size - this.next + this.first, IDS - this.next + this.first)
  }

  /** The id of the first of the next `count` messages, of the others those that follow it in the circle; there must be room. */
  take(count: number): number {
    const id = (this.next % IDS) + 1
    this.count += count
    this.next += count
    return id
  }

  /** Whether a message of this id is in flight. */
  has(id: number): boolean {
    let distance = id - 1 - (this.first % IDS)
    if (distance < 0) distance += IDS
    if (distance >= this.next - this.first) return false
    return this.marks === null || this.marks[(this.first + distance) & (this.size - 1)] === 0
  }

  /** False if no message of this id is in flight. */
  acknowledge(id: number): boolean {
    let distance = id - 1 - (this.first % IDS)
    if (distance < 0) distance += IDS
    if (distance >= this.next - this.first) return false
    if (distance > 0) return this.#mark(this.first + distance)
    this.first++
    this.count--
    if (this.marks !== null) this.#pass(this.marks)
    return true
  }

  #mark(place: number): boolean {
    this.marks ??= new Uint8Array(this.size)
    const index = place & (this.size - 1)
    if (this.marks[index] === 1) return false
    this.marks[index] = 1
    this.count--
    return true
  }

  #pass(marks: Uint8Array): void {
    const mask = this.size - 1
    while (this.first < this.next && marks[this.first & mask] === 1) {
      marks[this.first & mask] = 0
      this.first++
    }
  }
}
