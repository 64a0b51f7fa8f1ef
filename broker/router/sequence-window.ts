// Which of an origin's sequence numbers have been seen: a bitmap that slides with the highest.
//
//        forgotten (all count as seen) │◀────────────── 2^18 numbers ──────────────▶│ not yet seen
//   ───────────────────────────────────┼────────────────────────────────────────────┼──────────────
//                                      │ a bit each, at number modulo 2^18          ▲ highest
//
// An origin never has unacknowledged numbers further apart than its publish window, which is far
// smaller, so a number that may still come again is always inside.

const NUMBERS = 1 << 18
const MASK = NUMBERS - 1

export class SequenceWindow {
  /** Numbers it remembers. */
  static readonly size = NUMBERS
  #bits: Uint32Array | null = null
  #highest = 0

  /** Marks `sequence` (>= 1) as seen; true if it was not seen before. */
  add(sequence: number): boolean {
    this.#bits ??= new Uint32Array(NUMBERS >>> 5)
    const bits = this.#bits
    if (sequence > this.#highest) {
      this.#slideTo(bits, sequence)
    } else if (sequence <= this.#highest - NUMBERS) {
      return false
    }
    const at = sequence & MASK
    const bit = 1 << (at & 31)
    if ((bits[at >>> 5]! & bit) !== 0) return false
    bits[at >>> 5]! |= bit
    return true
  }

  has(sequence: number): boolean {
    if (this.#bits === null || sequence > this.#highest) return false
    if (sequence <= this.#highest - NUMBERS) return true
    const at = sequence & MASK
    return (this.#bits[at >>> 5]! & (1 << (at & 31))) !== 0
  }

  /** Forgets that `sequence` was seen, if it is still inside. */
  delete(sequence: number): void {
    if (this.#bits === null || sequence > this.#highest || sequence <= this.#highest - NUMBERS) return
    const at = sequence & MASK
    this.#bits[at >>> 5]! &= ~(1 << (at & 31))
  }

  #slideTo(bits: Uint32Array, sequence: number): void {
    if (sequence - this.#highest >= NUMBERS) bits.fill(0)
    else {
      for (let passed = this.#highest + 1; passed <= sequence; passed++) {
        const at = passed & MASK
        bits[at >>> 5]! &= ~(1 << (at & 31))
      }
    }
    this.#highest = sequence
  }
}
