// Probes the members one after the other, each once a round, in an order that is shuffled anew for
// each round: so the time to detect any failure is bounded, and nobody is everybody's target at once.
// Source: SWIM (DSN 2002), section 4.3: round-robin probe target selection.
import type { Timer } from '../runtime/clock.ts'
import type { Ack } from './codec.ts'
import { type SwimContext, stalled } from './context.ts'
import { isLive, type Member } from './member.ts'
import { Probe } from './probe.ts'
import { Refusal } from './refusal.ts'

/** Evidence from links: the connection was reset; or the host answered that nobody listens there. */
export type Evidence = 'reset' | 'refused'

export class Detector {
  readonly #context: SwimContext
  readonly #onAck: (ack: Ack, memberId: string) => void
  /** At most one of each for a member. */
  readonly #probes = new Map<string, Probe>()
  readonly #refusals = new Map<string, Refusal>()
  #round: Member[] = []
  #timer: Timer | null = null

  /** `onAck` is told of each probe that a ping has answered. */
  constructor(context: SwimContext, onAck: (ack: Ack, memberId: string) => void) {
    this.#context = context
    this.#onAck = onAck
  }

  /** The first probe comes at a random time within one interval: nodes that start together do not probe together. */
  start(): void {
    const { random, config } = this.#context
    this.#schedule(random.next() * config.probeIntervalMs)
  }

  stop(): void {
    this.#timer?.cancel()
    for (const probe of this.#probes.values()) probe.cancel()
    for (const refusal of this.#refusals.values()) refusal.cancel()
    this.#probes.clear()
    this.#refusals.clear()
  }

  /** Acts on evidence about a live member; does nothing for others, or when it is being looked into already. */
  hint(memberId: string, evidence: Evidence): void {
    const { membership } = this.#context
    const member = membership.table.get(memberId)?.member
    if (member === undefined || !isLive(member) || memberId === membership.self.id) return
    if (evidence === 'reset') {
      this.#probe(member)
    } else if (!this.#refusals.has(memberId)) {
      this.#refusals.set(memberId, new Refusal(this.#context, member, () => this.#refusals.delete(memberId)))
    }
  }

  #schedule(delayMs: number): void {
    const { clock } = this.#context
    const dueAt = clock.now() + delayMs
    this.#timer = clock.after(delayMs, () => {
      stalled(this.#context, dueAt)
      this.#schedule(this.#context.awareness.scale(this.#context.config.probeIntervalMs))
      const member = this.#next()
      if (member !== null) this.#probe(member)
    })
  }

  /** The next live member of the round as it is now. A member that joins takes part from the next round on. */
  #next(): Member | null {
    const { table } = this.#context.membership
    if (this.#round.length === 0) this.#round = table.pick(table.liveCount, isLive)
    for (let planned = this.#round.pop(); planned !== undefined; planned = this.#round.pop()) {
      const member = table.get(planned.id)?.member
      if (member !== undefined && isLive(member)) return member
    }
    return null
  }

  #probe(member: Member): void {
    if (this.#probes.has(member.id)) return
    const onEnd = (ack: Ack | null): void => {
      this.#probes.delete(member.id)
      if (ack !== null) this.#onAck(ack, member.id)
    }
    this.#probes.set(member.id, new Probe(this.#context, member, onEnd))
  }
}
