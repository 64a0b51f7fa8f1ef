// Chance in a simulation: all of it flows from one seed. Forks are made by label and not by drawing from
// the parent, so that a host more or less does not change the luck of the others.
// Source: sfc32 (PractRand, Chris Doty-Humphrey), 128 bits of state; seeded with cyrb128.
import type { Random } from '../../broker/runtime/random.ts'

const TWO_TO_32 = 0x1_0000_0000

export class SeededRandom implements Random {
  readonly seed: string
  #a: number
  #b: number
  #c: number
  #counter: number

  constructor(seed: number | string) {
    this.seed = String(seed)
    const words = hash128(this.seed)
    this.#a = words[0]
    this.#b = words[1]
    this.#c = words[2]
    this.#counter = words[3] | 1
    for (let i = 0; i < 12; i++) this.word()
  }

  /** 32 random bits, as an unsigned integer. */
  word(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0
    this.#counter = (this.#counter + 1) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0
    return sum >>> 0
  }

  next(): number {
    return this.word() / TWO_TO_32
  }

  integer(bound: number): number {
    return Math.floor(this.next() * bound)
  }

  bytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length)
    for (let i = 0; i < length; i++) bytes[i] = this.word() >>> 24
    return bytes
  }

  /** A number in [min, max). */
  between(min: number, max: number): number {
    return min + this.next() * (max - min)
  }

  /** True with this probability, 0 to 1. Draws nothing for 0, so that a fault that is off costs no luck. */
  chance(probability: number): boolean {
    return probability > 0 && this.next() < probability
  }

  /** One of a list that is not empty. */
  pick<T>(list: readonly T[]): T {
    return list[this.integer(list.length)]!
  }

  /** An independent generator: same seed and label, same numbers, whatever was drawn before. */
  fork(label: string): SeededRandom {
    return new SeededRandom(`${this.seed}/${label}`)
  }
}

function hash128(text: string): [number, number, number, number] {
  let h1 = 1779033703
  let h2 = 3144134277
  let h3 = 1013904242
  let h4 = 2773480762
  for (let i = 0; i < text.length; i++) {
    const k = text.charCodeAt(i)
    h1 = h2 ^ Math.imul(h1 ^ k, 597399067)
    h2 = h3 ^ Math.imul(h2 ^ k, 2869860233)
    h3 = h4 ^ Math.imul(h3 ^ k, 951274213)
    h4 = h1 ^ Math.imul(h4 ^ k, 2716044179)
  }
  h1 = Math.imul(h3 ^ (h1 >>> 18), 597399067)
  h2 = Math.imul(h4 ^ (h2 >>> 22), 2869860233)
  h3 = Math.imul(h1 ^ (h3 >>> 17), 951274213)
  h4 = Math.imul(h2 ^ (h4 >>> 19), 2716044179)
  return [h1 ^ h2 ^ h3 ^ h4, h2 ^ h1, h3 ^ h1, h4 ^ h1]
}
