// Probes one member each interval. All stand in a circle, and in round r each probes the one that stands
// 1 + r mod (n - 1) places on. The rounds are counted by the wall clock, so that all have the same r: then each member
// is probed once in each round by exactly one other, and a crash is met within two intervals. Where clocks or views
// differ, some are probed twice in a round and some not at all, as if targets were chosen at random.
// Source: ours, for SWIM's round-robin probe target selection (DSN 2002, section 4.3), which leaves a member unprobed
// in 1/e of the intervals.
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
  /** What the wall clock was at our probes, within an interval. */
  #phaseMs = 0
  #timer: Timer | null = null

  /** `onAck` is told of each probe that a ping has answered. */
  constructor(context: SwimContext, onAck: (ack: Ack, memberId: string) => void) {
    this.#context = context
    this.#onAck = onAck
  }

  /** The first probe comes at a random time within one interval: nodes that start together do not probe together. */
  start(): void {
    const { clock, random, config } = this.#context
    const delayMs = random.next() * config.probeIntervalMs
    this.#phaseMs = (clock.wall() + delayMs) % config.probeIntervalMs
    this.#schedule(delayMs)
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

  /** A timer that is late makes the next one come sooner, so that our phase stays what it is. */
  #schedule(delayMs: number): void {
    const { clock, awareness, config } = this.#context
    const dueAt = clock.now() + delayMs
    this.#timer = clock.after(delayMs, () => {
      stalled(this.#context, dueAt)
      const lateMs = (clock.now() - dueAt) % config.probeIntervalMs
      this.#schedule(awareness.scale(config.probeIntervalMs) - lateMs)
      const member = this.#next()
      if (member !== null) this.#probe(member)
    })
  }

  /** The member whose turn it is; null if there is none but us. */
  #next(): Member | null {
    const { clock, config, membership } = this.#context
    const circle = membership.table.circle()
    if (circle.length < 2) return null
    const round = Math.round((clock.wall() - this.#phaseMs) / config.probeIntervalMs)
    const step = 1 + (Math.abs(round) % (circle.length - 1))
    const ours = circle.findIndex(entry => entry.position < 0)
    return circle[(ours + step) % circle.length]!.member
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
