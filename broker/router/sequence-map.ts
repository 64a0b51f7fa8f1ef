// A map from sequence numbers that come in ascending order, mostly, and go in nearly the same: an array
// that wraps, instead of a hash table that grows, moves and is traced.
//
//   slots      │ 8 │ 9 │   │   │ 4 │   │ 6 │ 7 │        number n stands in slot n modulo the length
//                        ▲ next     ▲ first             (5 is removed; `first` moves on when 4 is)

export class SequenceMap<V extends object> {
  #slots: (V | undefined)[] = new Array(64)
  #first = 0
  #next = 0
  #size = 0
  readonly #spreadMax: number

  /** Numbers may be at most `spreadMax` apart (a power of two). */
  constructor(spreadMax = 1 << 20) {
    this.#spreadMax = spreadMax
  }

  get size(): number {
    return this.#size
  }

  /** The lowest number; `next` if it is empty. */
  get first(): number {
    return this.#first
  }

  get(sequence: number): V | undefined {
    if (sequence < this.#first || sequence >= this.#next) return undefined
    return this.#slots[sequence & (this.#slots.length - 1)]
  }

  /** False, and nothing is set, if the number is too far from the others. Memory grows with the distance between them. */
  set(sequence: number, value: V): boolean {
    if (this.#size === 0) {
      this.#first = sequence
      this.#next = sequence
    }
    const first = Math.min(this.#first, sequence)
    const next = Math.max(this.#next, sequence + 1)
    if (next - first > this.#spreadMax) return false
    while (next - first > this.#slots.length) this.#grow()
    this.#first = first
    this.#next = next
    const slot = sequence & (this.#slots.length - 1)
    if (this.#slots[slot] === undefined) this.#size++
    this.#slots[slot] = value
    return true
  }

  delete(sequence: number): void {
    if (this.get(sequence) === undefined) return
    const mask = this.#slots.length - 1
    this.#slots[sequence & mask] = undefined
    this.#size--
    if (this.#size === 0) this.#first = this.#next
    else while (this.#slots[this.#first & mask] === undefined) this.#first++
  }

  /** Ascending. Values may be deleted meanwhile; those that are set are not visited. */
  *[Symbol.iterator](): Generator<[number, V]> {
    const end = this.#next
    for (let sequence = this.#first; sequence < end; sequence++) {
      const value = this.get(sequence)
      if (value !== undefined) yield [sequence, value]
    }
  }

  #grow(): void {
    const slots: (V | undefined)[] = new Array(this.#slots.length * 2)
    for (let sequence = this.#first; sequence < this.#next; sequence++) {
      slots[sequence & (slots.length - 1)] = this.get(sequence)
    }
    this.#slots = slots
  }
}
