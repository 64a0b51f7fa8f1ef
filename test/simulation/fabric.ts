// The wires between simulated hosts: who can reach whom, how late things arrive, and what gets lost. It knows
// nothing of sockets. Reachability is directed, so that half-broken networks can be simulated as well.
import type { SeededRandom } from './random.ts'
import type { Timeline } from './timeline.ts'

export interface FabricOptions {
  /** Delay of one way between two hosts, drawn evenly from [min, max] for each datagram and segment. Default 0.2 to 1. */
  delayMs?: [min: number, max: number]
  /** Share of datagrams that get lost, 0 to 1; a stream's segment is delayed by a retransmission instead. Default 0. */
  loss?: number
  /** Share of datagrams that are held up for up to ten delays and so overtaken by later ones, 0 to 1. Default 0. */
  reorder?: number
  /** Share of datagrams that arrive twice, 0 to 1. Default 0. */
  duplicate?: number
}

/** How late a segment comes that had to be sent again: Linux's least retransmission timeout. */
export const RETRANSMIT_MS = 200

const LOOPBACK_DELAY_MS = 0.05
const REORDER_DELAYS_MAX = 10

/** Something that holds segments which cannot pass now. */
export interface Stalled {
  readonly from: string
  readonly to: string
  retry(): void
}

export class Fabric {
  readonly timeline: Timeline
  readonly random: SeededRandom
  loss: number
  readonly #reorder: number
  readonly #duplicate: number
  readonly #delayMin: number
  readonly #delayMax: number
  /** Pairs `from>to`. */
  readonly #blocked = new Set<string>()
  readonly #cut = new Set<string>()
  readonly #stalled = new Set<Stalled>()
  /** When the last datagram that was not reordered arrives, by pair `from>to`. */
  readonly #lastArrival = new Map<string, number>()

  constructor(timeline: Timeline, random: SeededRandom, options: FabricOptions) {
    this.timeline = timeline
    this.random = random
    this.loss = options.loss ?? 0
    this.#reorder = options.reorder ?? 0
    this.#duplicate = options.duplicate ?? 0
    this.#delayMin = options.delayMs?.[0] ?? 0.2
    this.#delayMax = options.delayMs?.[1] ?? 1
  }

  /** Whether nothing passes from one host to the other. A host always reaches itself. */
  blocked(from: string, to: string): boolean {
    if (from === to) return false
    return this.#cut.has(from) || this.#cut.has(to) || this.#blocked.has(`${from}>${to}`)
  }

  /** Blocks one direction. */
  block(from: string, to: string): void {
    if (from !== to) this.#blocked.add(`${from}>${to}`)
  }

  unblockAll(): void {
    this.#blocked.clear()
    this.#retryStalled()
  }

  cut(host: string): void {
    this.#cut.add(host)
  }

  uncut(host: string): void {
    if (this.#cut.delete(host)) this.#retryStalled()
  }

  isCut(host: string): boolean {
    return this.#cut.has(host)
  }

  delay(from: string, to: string): number {
    return from === to ? LOOPBACK_DELAY_MS : this.random.between(this.#delayMin, this.#delayMax)
  }

  /** Delay of a segment of a stream: what is lost is sent again by the kernel, and only late. */
  segmentDelay(from: string, to: string): number {
    const lost = from !== to && this.random.chance(this.loss)
    return this.delay(from, to) + (lost ? RETRANSMIT_MS : 0)
  }

  /** Brings a datagram to the other side: once, twice, or never. */
  datagram(from: string, to: string, arrive: () => void): void {
    if (this.blocked(from, to)) return
    if (from === to) {
      this.timeline.at(this.timeline.now + LOOPBACK_DELAY_MS, to, 'datagram', arrive)
      return
    }
    if (this.random.chance(this.loss)) return
    this.#arriveLater(from, to, arrive)
    if (this.random.chance(this.#duplicate)) this.#arriveLater(from, to, arrive)
  }

  /** Calls `retry` some time after `holder` may have become able to pass. It asks `blocked`, and may stall again. */
  stall(holder: Stalled): void {
    this.#stalled.add(holder)
  }

  unstall(holder: Stalled): void {
    this.#stalled.delete(holder)
  }

  #arriveLater(from: string, to: string, arrive: () => void): void {
    const pair = `${from}>${to}`
    let at = this.timeline.now + this.delay(from, to)
    if (this.random.chance(this.#reorder)) {
      at += this.random.between(0, this.#delayMax * REORDER_DELAYS_MAX)
    } else {
      at = Math.max(at, this.#lastArrival.get(pair) ?? 0)
      this.#lastArrival.set(pair, at)
    }
    this.timeline.at(at, to, 'datagram', () => {
      if (!this.blocked(from, to)) arrive()
    })
  }

  #retryStalled(): void {
    for (const holder of this.#stalled) {
      if (this.blocked(holder.from, holder.to)) continue
      const wait = this.delay(holder.from, holder.to) + this.random.between(0, RETRANSMIT_MS)
      this.timeline.at(this.timeline.now + wait, holder.to, 'retransmit', () => holder.retry())
    }
  }
}
