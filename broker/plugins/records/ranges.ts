// Parts of the ring that do not overlap: hashes after `start`, up to and including `end`.

export class Ranges {
  /** [start, end], ascending unless `#isSorted` is false. */
  readonly #all: [start: number, end: number][] = []
  #isSorted = true

  add(start: number, end: number): void {
    this.#all.push([start, end])
    this.#isSorted = false
  }

  has(hash: number): boolean {
    if (!this.#isSorted) {
      this.#all.sort((a, b) => a[1] - b[1])
      this.#isSorted = true
    }
    let [low, high] = [0, this.#all.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#all[middle]![1] < hash) low = middle + 1
      else high = middle
    }
    const range = this.#all[low]
    return range !== undefined && range[0] < hash
  }

  /** As they travel. */
  get pairs(): readonly (readonly [start: number, end: number])[] {
    return this.#all
  }
}
