// Publishes of QoS 2 from one client that are not released: each is published once, however often it comes; its
// PUBREC leaves when it is safe, in the order in which the publishes came. [MQTT-4.3.3-10], [MQTT-4.6.0-3]
//
//   PUBLISH ──▶ waiting ──safe──▶ PUBREC ──▶ received ──PUBREL──▶ PUBCOMP, and gone
//                  └────failed──▶ PUBREC (reason >= 0x80), and gone
//   A publish that comes again while `waiting` changes nothing; while `received` it is answered with PUBREC again.

/** Of the states; others are reasons with which PUBREC may leave. */
const WAITING = -1

/** What a PUBLISH is. */
export type Arrival = 'new' | 'waiting' | 'received'

export interface Pubrec {
  readonly id: number
  readonly reason: number
}

export class Received {
  /** By id: WAITING, or the reason it was settled with. */
  readonly #states = new Map<number, number>()
  /** Ids without their PUBREC, in the order in which they came. */
  #row: number[] = []

  /** Ids that are not released. */
  get count(): number {
    return this.#states.size
  }

  has(id: number): boolean {
    return this.#states.has(id)
  }

  arrived(id: number): Arrival {
    const state = this.#states.get(id)
    if (state !== undefined) return state === WAITING || this.#row.includes(id) ? 'waiting' : 'received'
    this.#states.set(id, WAITING)
    this.#row.push(id)
    return 'new'
  }

  /** It is safe, or has failed. Returns the PUBRECs that may leave now, often none. */
  settle(id: number, reason: number): readonly Pubrec[] {
    if (this.#states.get(id) !== WAITING) return []
    this.#states.set(id, reason)
    let ready = 0
    while (ready < this.#row.length && this.#states.get(this.#row[ready]!) !== WAITING) ready++
    return this.#row.splice(0, ready).map(each => {
      const state = this.#states.get(each)!
      if (state >= 0x80) this.#states.delete(each)
      return { id: each, reason: state }
    })
  }

  /** PUBREL. False: no publish with this id has been received. One that waits stays. */
  release(id: number): boolean {
    if (this.#states.get(id) === WAITING || this.#row.includes(id)) return false
    return this.#states.delete(id)
  }

  /** Ids that have been received and not released. */
  ids(): number[] {
    return [...this.#states.keys()].filter(id => !this.#row.includes(id) && this.#states.get(id) !== WAITING)
  }

  /** Ids without their PUBREC, in the order in which they came. */
  waiting(): number[] {
    return [...this.#row]
  }

  /** As it was elsewhere: those that have been received, and those without their PUBREC. */
  restore(received: readonly number[], waiting: readonly number[]): void {
    for (const id of received) this.#states.set(id, 0)
    for (const id of waiting) this.#states.set(id, WAITING)
    this.#row = [...waiting]
  }
}
