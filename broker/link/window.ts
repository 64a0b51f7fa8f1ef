// The credit of one direction of a stream. The receiver gives as many credits as it has room; the sender spends
// one a byte, or one an object; what has been read comes back as new credit. So a reader that stops stops
// its writer, and no one else.
//
//     receiver's room   ┌── outstanding ──┬───── unreturned ─────┐
//                       │ sender may send │ received             │
//                       │                 │ read  │ still buffered
//                       └─────────────────┴───────┴──────────────┘
import assert from 'node:assert'
import { ShoalError } from '../errors.ts'

/** More than any sender may hold: beyond it a peer is lying. */
const CREDITS_MAX = 2 ** 31

/** What this side may still send. */
export class SendWindow {
  credits: number
  /** All that was ever spent. */
  spent: number

  constructor(credits: number) {
    this.credits = credits
    this.spent = 0
  }

  spend(count: number): void {
    assert(count <= this.credits)
    this.credits -= count
    this.spent += count
  }

  /** Throws FRAME_INVALID. */
  add(count: number): void {
    this.credits += count
    if (this.credits > CREDITS_MAX) throw new ShoalError('FRAME_INVALID', { field: 'credits' })
  }
}

/** What the far side may still send here. */
export class ReceiveWindow {
  /** All that has ever come. */
  total: number
  #outstanding: number
  #unreturned: number
  #size: number

  constructor(size: number) {
    this.total = 0
    this.#outstanding = size
    this.#unreturned = 0
    this.#size = size
  }

  /** Throws FRAME_INVALID if the far side sent more than it was allowed. */
  received(count: number): void {
    if (count > this.#outstanding) {
      throw new ShoalError('FRAME_INVALID', { field: 'credits', spent: count, allowed: this.#outstanding })
    }
    this.total += count
    this.#outstanding -= count
    this.#unreturned += count
  }

  /**
   * Credits to give back now, when `buffered` are still unread and the reader wants to hold up to `wanted`; 0 if it
   * is not worth a frame yet. A sender with no credit left gets some as soon as a quarter has been read.
   */
  giveBack(buffered: number, wanted: number): number {
    const grown = Math.max(0, Math.min(wanted, CREDITS_MAX / 2) - this.#size)
    const read = this.#unreturned - buffered
    if (grown === 0 && read < Math.max(1, this.#size >>> 2)) return 0
    this.#size += grown
    this.#unreturned -= read
    this.#outstanding += read + grown
    return read + grown
  }
}
