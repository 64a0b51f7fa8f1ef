// Rounds of gossip: rumours go to a few random members, on a steady beat. The first half of a rumour's
// sendings does not wait for the beat: it goes at once, as close together as the gap allows, so that a
// quiet cluster hears of a change within a few round trips. The second half is for those who missed it.
// Source: SWIM (DSN 2002), section 4.1, as memberlist has it; the early rounds are ours.
import type { Timer } from '../runtime/clock.ts'
import type { SwimContext } from './context.ts'
import { isLive, type Member } from './member.ts'
import type { Entry } from './table.ts'

export class GossipRounds {
  readonly #context: SwimContext
  #beat: Timer | null = null
  #early: Timer | null = null
  #lastAt = Number.NEGATIVE_INFINITY
  #running = false

  constructor(context: SwimContext) {
    this.#context = context
  }

  start(): void {
    this.#running = true
    this.#setBeat(this.#context.config.gossipIntervalMs)
    this.kick()
  }

  /** For those who are about to leave: rounds follow each other as closely as they may. */
  hurry(): void {
    if (this.#running) this.#setBeat(this.#context.config.gossipGapMs)
  }

  /** There may be an urgent rumour. */
  kick(): void {
    if (!this.#running || this.#early !== null || !this.#context.packets.urgent) return
    const { clock, config } = this.#context
    const waitMs = Math.max(0, this.#lastAt + config.gossipGapMs - clock.now())
    this.#early = clock.after(waitMs, () => {
      this.#early = null
      this.#round()
    })
  }

  stop(): void {
    this.#running = false
    this.#beat?.cancel()
    this.#early?.cancel()
    this.#early = null
  }

  #setBeat(periodMs: number): void {
    this.#beat?.cancel()
    this.#beat = this.#context.clock.every(periodMs, () => this.#round())
  }

  #round(): void {
    const { clock, config, gossip, packets, membership } = this.#context
    if (gossip.size === 0) return
    const now = clock.now()
    this.#lastAt = now
    // The dead are told as well, for a while: one that is not dead should hear of it.
    const listens = (member: Member, entry: Entry): boolean =>
      isLive(member) || (member.state === 'dead' && now - entry.changedAt < config.gossipToDeadMs)
    for (const member of membership.table.pick(config.gossipFanout, listens)) packets.postGossip(member)
    this.kick()
  }
}
