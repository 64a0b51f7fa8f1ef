// A client's publishes of QoS 1 that wait for their PUBACK. The broker settles them in any order; PUBACKs
// leave in the order in which the PUBLISHes came. [MQTT-4.6.0-2]
//
//   ids      [ 5 │ 6 │ 7 │ 8 ]      5 and 6 may leave; 8 waits for 7
//   reasons  [ 0 │ 0 │ … │ 0 ]
//              ▲ head            ▲ tail         (… is not settled)
import type { Version } from './decode.ts'
import { SUCCESS } from './reason-codes.ts'

const WAITING = 0xff
const PUBACK = 0x40
/** Bytes of the longest PUBACK that `write` writes. */
export const PUBACK_BYTES_MAX = 5

export class Acknowledgements {
  ids = new Uint16Array(8)
  reasons = new Uint8Array(8)
  mask = 7
  /** Tokens: they count on without end; the place in the arrays is `token & mask`. */
  head = 0
  tail = 0

  /** Publishes without their PUBACK. */
  get count(): number {
    return this.tail - this.head
  }

  /** True if `write` would write. */
  get ready(): boolean {
    return this.head < this.tail && this.reasons[this.head & this.mask] !== WAITING
  }

  /** Takes the id of a publish; returns the token to settle it by. The caller bounds how many wait. */
  open(id: number): number {
    if (this.tail - this.head > this.mask) this.#grow()
    const place = this.tail & this.mask
    this.ids[place] = id
    this.reasons[place] = WAITING
    return this.tail++
  }

  /** Settles `count` publishes with a reason of v5 (not 0xFF). Once each; a token that is settled already is ignored. */
  settle(token: number, reason: number, count: number): void {
    const end = Math.min(token + count, this.tail)
    for (let each = Math.max(token, this.head); each < end; each++) {
      const place = each & this.mask
      if (this.reasons[place] === WAITING) this.reasons[place] = reason
    }
  }

  /** Writes the PUBACKs that may leave, `count * PUBACK_BYTES_MAX` bytes at most. Returns where they end. */
  write(target: Uint8Array, at: number, version: Version): number {
    while (this.head < this.tail) {
      const place = this.head & this.mask
      const reason = this.reasons[place]!
      if (reason === WAITING) break
      const id = this.ids[place]!
      const long = version === 5 && reason !== SUCCESS
      target[at++] = PUBACK
      target[at++] = long ? 3 : 2
      target[at++] = id >> 8
      target[at++] = id & 0xff
      if (long) target[at++] = reason
      this.head++
    }
    return at
  }

  #grow(): void {
    const size = this.ids.length * 2
    const ids = new Uint16Array(size)
    const reasons = new Uint8Array(size)
    for (let token = this.head; token < this.tail; token++) {
      ids[token & (size - 1)] = this.ids[token & this.mask]!
      reasons[token & (size - 1)] = this.reasons[token & this.mask]!
    }
    this.ids = ids
    this.reasons = reasons
    this.mask = size - 1
  }
}
