// The pings that wait for an answer, by their sequence number, whoever sent them and why.
import type { Random } from '../runtime/random.ts'
import type { Ack } from './codec.ts'

export interface AckWaiter {
  acked(ack: Ack): void
  nacked(): void
}

export class Acks {
  readonly #max: number
  readonly #waiters = new Map<number, AckWaiter>()
  #next: number

  /** Numbers begin at random, so that answers to an earlier process on this port mean nothing to us. */
  constructor(random: Random, max: number) {
    this.#next = random.integer(2 ** 32)
    this.#max = max
  }

  get size(): number {
    return this.#waiters.size
  }

  /** The sequence number for a ping; null if `max` wait already. Give it back with `drop`. */
  expect(waiter: AckWaiter): number | null {
    if (this.#waiters.size >= this.#max) return null
    while (this.#waiters.has(this.#next)) this.#next = (this.#next + 1) >>> 0
    const sequence = this.#next
    this.#next = (sequence + 1) >>> 0
    this.#waiters.set(sequence, waiter)
    return sequence
  }

  drop(sequence: number): void {
    this.#waiters.delete(sequence)
  }

  acked(ack: Ack): void {
    this.#waiters.get(ack.sequence)?.acked(ack)
  }

  nacked(sequence: number): void {
    this.#waiters.get(sequence)?.nacked()
  }

  clear(): void {
    this.#waiters.clear()
  }
}
