// Keeps aedes from taking packets for repeated that only came late. aedes numbers what a broker publishes, and a client
// drops what does not have a higher number than the last from that broker; on a ring, packets to different topics come by different
// owners and overtake each other. A packet that comes late is given another lane: a broker's id with a mark, of which
// the client has seen no higher number. Within a lane numbers only rise, so most brokers have one lane, and a few when busy.
// Source: patience sorting; aedes 1.2, lib/client.js, `dedupe`.
import { LANE_MARK } from './packet.ts'

/** Lanes of a broker; the one that was made first is given up for one more. */
const LANES_MAX = 64
/** Brokers that are remembered; the one that was heard of first is forgotten for one more. */
const PUBLISHERS_MAX = 10_000

interface Lane {
  readonly name: string
  last: number
}

export class Lanes {
  readonly #publishers = new Map<string, Lane[]>()
  /** No two lanes have the same name, ever: clients keep the numbers of those that are gone. */
  #made = 0

  /** The name under which the packet with this number is to be delivered. */
  laneOf(publisher: string, counter: number): string {
    const lanes = this.#lanesOf(publisher)
    for (const lane of lanes) {
      if (lane.last >= counter) continue
      lane.last = counter
      return lane.name
    }
    // The first lane, which has the broker's own name, stays.
    if (lanes.length === LANES_MAX) lanes.splice(1, 1)
    const lane = { name: `${publisher}${LANE_MARK}${++this.#made}`, last: counter }
    lanes.push(lane)
    return lane.name
  }

  #lanesOf(publisher: string): Lane[] {
    let lanes = this.#publishers.get(publisher)
    if (lanes === undefined) {
      const [oldest] = this.#publishers.keys()
      if (this.#publishers.size === PUBLISHERS_MAX) this.#publishers.delete(oldest!)
      lanes = [{ name: publisher, last: 0 }]
      this.#publishers.set(publisher, lanes)
    }
    return lanes
  }
}
