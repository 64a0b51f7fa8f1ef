// The rumours that this node still has to pass on: at most one about each member, the newest. Those
// sent least often go first, and of these the newest, so that fresh news overtakes old.
//
//   tiers[0]   sent 0 times   [ oldest ... newest ]  ← taken from this end
//   tiers[1]   sent once      [ ... ]
//
// Source: SWIM (DSN 2002), section 4.1; memberlist's TransmitLimitedQueue.
import { NEWS_BYTES_MIN } from './codec.ts'
import type { SwimCounters } from './counters.ts'

/** λ · ⌈log10(n + 1)⌉: how often a member sends each rumour, so that all n hear it with high probability. */
export function retransmitLimit(multiplier: number, members: number): number {
  return multiplier * Math.ceil(Math.log10(members + 1))
}

interface Rumour {
  readonly about: string
  readonly bytes: Uint8Array
  readonly done: (() => void) | null
  sent: number
  /** A newer one about the same member has come, or it has been dropped. It leaves its tier when it is met. */
  stale: boolean
}

/** About as many rumours as fit in a packet. */
const CROWD = 16
/** How many rumours that do not fit a packet are passed over in search of one that does. */
const PASSED_OVER_MAX = 8

export class GossipQueue {
  readonly #rumoursMax: number
  readonly #counters: SwimCounters
  readonly #onFresh: () => void
  readonly #rumours = new Map<string, Rumour>()
  #tiers: Rumour[][] = [[]]
  #stale = 0

  /** `onFresh` is called at each `add`. Above `rumoursMax`, the one sent most often is dropped (`counters.rumoursDropped`). */
  constructor(rumoursMax: number, counters: SwimCounters, onFresh: () => void) {
    this.#rumoursMax = rumoursMax
    this.#counters = counters
    this.#onFresh = onFresh
  }

  get size(): number {
    return this.#rumours.size
  }

  /** Whether one has been sent less than half as often as it will be, or so many wait that each round leaves some of them out. */
  isUrgent(sentMax: number): boolean {
    if (this.#rumours.size > CROWD) return true
    return this.#tiers.some((tier, sent) => {
      while (tier.at(-1)?.stale === true) this.#discardLast(tier)
      return tier.length > 0 && 2 * sent < sentMax
    })
  }

  /** Takes the place of what was to be told about the member before. `done` is called when it has been sent as often as needed, or replaced. */
  add(about: string, bytes: Uint8Array, done: (() => void) | null = null): void {
    const older = this.#rumours.get(about)
    if (older !== undefined) this.#retire(older)
    else if (this.#rumours.size >= this.#rumoursMax) this.#dropMostSent()
    const rumour: Rumour = { about, bytes, done, sent: 0, stale: false }
    this.#rumours.set(about, rumour)
    this.#tiers[0]!.push(rumour)
    this.#compact()
    older?.done?.()
    this.#onFresh()
  }

  /** Rumours of together at most `spaceBytes`. Each counts as sent; those sent `sentMax` times are done. */
  take(spaceBytes: number, sentMax: number): Uint8Array[] {
    const taken: Rumour[] = []
    const passedOver: Rumour[] = []
    let space = spaceBytes
    for (const tier of this.#tiers) {
      while (tier.length > 0 && space >= NEWS_BYTES_MIN && passedOver.length < PASSED_OVER_MAX) {
        const rumour = tier[tier.length - 1]!
        if (rumour.stale) {
          this.#discardLast(tier)
          continue
        }
        tier.pop()
        if (rumour.bytes.length > space) {
          passedOver.push(rumour)
        } else {
          space -= rumour.bytes.length
          taken.push(rumour)
        }
      }
    }
    // In reverse, so that what was newest is on top again.
    for (const rumour of passedOver.reverse()) this.#tiers[rumour.sent]!.push(rumour)
    for (const rumour of taken.toReversed()) this.#sent(rumour, sentMax)
    for (const rumour of taken) if (rumour.sent >= sentMax) rumour.done?.()
    return taken.map(rumour => rumour.bytes)
  }

  clear(): void {
    this.#rumours.clear()
    this.#tiers = [[]]
    this.#stale = 0
  }

  #sent(rumour: Rumour, sentMax: number): void {
    rumour.sent++
    if (rumour.sent >= sentMax) {
      this.#rumours.delete(rumour.about)
      return
    }
    while (this.#tiers.length <= rumour.sent) this.#tiers.push([])
    this.#tiers[rumour.sent]!.push(rumour)
  }

  #retire(rumour: Rumour): void {
    rumour.stale = true
    this.#stale++
    this.#rumours.delete(rumour.about)
  }

  #discardLast(tier: Rumour[]): void {
    tier.pop()
    this.#stale--
  }

  #dropMostSent(): void {
    for (const tier of this.#tiers.toReversed()) {
      const oldest = tier.find(rumour => !rumour.stale)
      if (oldest === undefined) continue
      this.#retire(oldest)
      this.#counters.rumoursDropped++
      oldest.done?.()
      return
    }
  }

  /** Stale rumours never outnumber the others for long. */
  #compact(): void {
    if (this.#stale < 64 || this.#stale < this.#rumours.size) return
    this.#tiers = this.#tiers.map(tier => tier.filter(rumour => !rumour.stale))
    this.#stale = 0
  }
}
