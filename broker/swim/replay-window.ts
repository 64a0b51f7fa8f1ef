// Which numbers of one sender have come already. A number that comes again is a replay; one that is so old that
// nobody remembers it might be one, and counts as such. In between, packets may overtake each other.
// The bitmap is a ring of words, of which a step forward clears those it enters: no bits are shifted.
// Source: RFC 6479, as in WireGuard; RFC 4303, section 3.4.3.

/** Words of 32 numbers. */
const WORDS = 64
/** How far behind the newest a number may come. The word that is being filled is no memory yet. */
export const REPLAY_WINDOW = (WORDS - 1) * 32

export class ReplayWindow {
  readonly #bits = new Uint32Array(WORDS)
  #newest = 0

  /** Whether `take` would take it. Numbers go from 1 to 2^48 - 1. */
  isNew(number: number): boolean {
    if (number > this.#newest) return true
    if (this.#newest - number >= REPLAY_WINDOW) return false
    return (this.#bits[wordOf(number) % WORDS]! & bitOf(number)) === 0
  }

  /** Remembers a number; only of a packet that is proven to be its sender's. Does nothing if it is not new. */
  take(number: number): void {
    if (!this.isNew(number)) return
    const word = wordOf(number)
    if (number > this.#newest) {
      const from = wordOf(this.#newest)
      for (let step = Math.min(word - from, WORDS); step > 0; step--)
        this.#bits[(word - step + 1) % WORDS] = 0
      this.#newest = number
    }
    this.#bits[word % WORDS]! |= bitOf(number)
  }
}

function wordOf(number: number): number {
  return Math.floor(number / 32)
}

function bitOf(number: number): number {
  return 1 << (number % 32)
}
