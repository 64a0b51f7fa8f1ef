// Names that one side of a link has replaced by small integers: the sender's half maps an object to its
// number, the receiver's half is an array of objects. When all numbers are taken, a clock's hand goes round
// over them and redefines the first that was not used since it last passed.
import { ShoalError } from '../errors.ts'

/** What `SentDictionary.refOf` returns for a name that has no number. */
export const NO_REF = -1

export class SentDictionary<Name extends object> {
  /** A number that belongs with each definition: the epoch of a topic. */
  readonly #stamps: number[]
  readonly #names: Name[]
  readonly #refs: Map<Name, number>
  readonly #used: Uint8Array
  readonly #entriesMax: number
  #hand: number
  /** The name that was asked for last: messages to one topic come in rows. */
  #lastName: Name | null
  #lastRef: number

  constructor(entriesMax: number) {
    this.#stamps = []
    this.#names = []
    this.#refs = new Map()
    this.#used = new Uint8Array(entriesMax)
    this.#entriesMax = entriesMax
    this.#hand = 0
    this.#lastName = null
    this.#lastRef = NO_REF
  }

  get size(): number {
    return this.#names.length
  }

  refOf(name: Name): number {
    if (name === this.#lastName) return this.#lastRef
    const ref = this.#refs.get(name)
    if (ref === undefined) return NO_REF
    this.#used[ref] = 1
    this.#lastName = name
    this.#lastRef = ref
    return ref
  }

  stampOf(ref: number): number {
    return this.#stamps[ref]!
  }

  /** Gives `name` a number, or its number a new stamp. The far side must be told. */
  define(name: Name, stamp: number): number {
    const known = this.#refs.get(name)
    const ref = known ?? this.#free()
    this.#names[ref] = name
    this.#stamps[ref] = stamp
    this.#refs.set(name, ref)
    this.#used[ref] = 1
    this.#lastName = name
    this.#lastRef = ref
    return ref
  }

  #free(): number {
    if (this.#names.length < this.#entriesMax) return this.#names.length
    while (this.#used[this.#hand] === 1) {
      this.#used[this.#hand] = 0
      this.#hand = (this.#hand + 1) % this.#entriesMax
    }
    const ref = this.#hand
    this.#refs.delete(this.#names[ref]!)
    this.#hand = (ref + 1) % this.#entriesMax
    return ref
  }
}

export class ReceivedDictionary<Name> {
  /** Index with a number; undefined if it was never defined. */
  readonly names: Name[]
  readonly stamps: number[]
  readonly #entriesMax: number

  constructor(entriesMax: number) {
    this.names = []
    this.stamps = []
    this.#entriesMax = entriesMax
  }

  /** New numbers come in order, so that the arrays stay dense. Throws FRAME_INVALID. */
  define(ref: number, name: Name, stamp: number): void {
    if (ref > this.names.length || ref >= this.#entriesMax) {
      throw new ShoalError('FRAME_INVALID', { field: 'ref', ref, entriesMax: this.#entriesMax })
    }
    this.names[ref] = name
    this.stamps[ref] = stamp
  }
}
