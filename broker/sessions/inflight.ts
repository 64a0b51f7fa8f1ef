// Deliveries of QoS 1 and 2 that were sent and not acknowledged to the end, in the order in which they were
// sent, so that they can be sent again in it. [MQTT-4.6.0-1]
//
//   QoS 1   SENT ──PUBACK──▶ gone
//   QoS 2   SENT ──PUBREC──▶ RELEASED (PUBREL is owed) ──PUBCOMP──▶ gone
import assert from 'node:assert'
import type { Delivery } from './delivery.ts'

/** Ids are 1..IDS. */
const IDS = 65_535

export interface Flight {
  readonly id: number
  /** Null once PUBREC has come: the message is the client's, and is not sent again. [MQTT-4.3.3-5] */
  delivery: Delivery | null
}

export class SessionInflight {
  readonly #flights = new Map<number, Flight>()
  #last = 0

  get count(): number {
    return this.#flights.size
  }

  /** Gives the next id that is free. There must be one. */
  take(delivery: Delivery): number {
    assert(this.#flights.size < IDS)
    do this.#last = (this.#last % IDS) + 1
    while (this.#flights.has(this.#last))
    this.#flights.set(this.#last, { id: this.#last, delivery })
    return this.#last
  }

  /** PUBACK. False: no delivery of QoS 1 with this id is in flight. */
  acknowledge(id: number): boolean {
    return this.#flights.get(id)?.delivery?.qos === 1 && this.#flights.delete(id)
  }

  /** PUBREC that takes the message. False: no delivery of QoS 2 with this id is in flight; PUBREL is the answer all the same. */
  received(id: number): boolean {
    const flight = this.#flights.get(id)
    if (flight === undefined || flight.delivery?.qos === 1) return false
    flight.delivery = null
    return true
  }

  /** PUBREC that refuses the message (reason >= 0x80): the exchange is over. */
  refused(id: number): boolean {
    return this.#flights.get(id)?.delivery?.qos === 2 && this.#flights.delete(id)
  }

  /** PUBCOMP. False: no PUBREL of this id is in flight. */
  completed(id: number): boolean {
    return this.#flights.get(id)?.delivery === null && this.#flights.delete(id)
  }

  /** All of them, in the order in which they were sent. */
  [Symbol.iterator](): Iterator<Flight> {
    return this.#flights.values()
  }

  /** As it was elsewhere: the next id is behind `last`. */
  restore(flights: Iterable<Flight>, last: number): void {
    for (const flight of flights) this.#flights.set(flight.id, flight)
    this.#last = last
  }

  get last(): number {
    return this.#last
  }
}
