// Rounds of gossip: rumours go to a few random members, on a steady beat. The first half of a rumour's
// sendings does not wait for the beat: it goes at once, as close together as the gap allows, so that a
// quiet cluster hears of a change within a few round trips. The second half is for those who missed it. Where many
// rumours wait, as when a thousand join, no round waits for the beat.
// Source: SWIM (DSN 2002), section 4.1, as memberlist has it; the early rounds are ours.
import type { Timer } from '../runtime/clock.ts'
import type { SwimContext } from './context.ts'
import { isLive, type Member } from './member.ts'
import type { Entry } from './table.ts'

export class GossipRounds {
  readonly #context: SwimContext
  /** Null while there is nothing to tell. */
  #beat: Timer | null = null
  #periodMs = 0
  #early: Timer | null = null
  #lastAt = Number.NEGATIVE_INFINITY
  #running = false

  constructor(context: SwimContext) {
    this.#context = context
  }

  start(): void {
    this.#running = true
    this.#periodMs = this.#context.config.gossipIntervalMs
    this.kick()
  }

  /** For those who are about to leave: rounds follow each other as closely as they may. */
  hurry(): void {
    this.#periodMs = this.#context.config.gossipGapMs
    this.#rest()
    this.kick()
  }

  /** There may be a rumour, perhaps an urgent one. */
  kick(): void {
    const { clock, config, gossip, packets } = this.#context
    if (!this.#running || gossip.size === 0) return
    this.#beat ??= clock.every(this.#periodMs, () => this.#round())
    if (this.#early !== null || !packets.urgent) return
    const waitMs = Math.max(0, this.#lastAt + config.gossipGapMs - clock.now())
    this.#early = clock.after(waitMs, () => {
      this.#early = null
      this.#round()
    })
  }

  stop(): void {
    this.#running = false
    this.#rest()
    this.#early?.cancel()
    this.#early = null
  }

  #rest(): void {
    this.#beat?.cancel()
    this.#beat = null
  }

  #round(): void {
    const { clock, config, gossip, packets, membership } = this.#context
    if (gossip.size === 0) {
      this.#rest()
      return
    }
    const now = clock.now()
    this.#lastAt = now
    // The dead are told as well, for a while: one that is not dead should hear of it.
    const listens = (member: Member, entry: Entry): boolean =>
      isLive(member) || (member.state === 'dead' && now - entry.changedAt < config.gossipToDeadMs)
    for (const member of membership.table.pick(config.gossipFanout, listens)) packets.postGossip(member)
    this.kick()
  }
}
