// One probe of one member: ping it; if it does not answer, have others ping it and try the stream;
// if nothing comes back until the deadline, accuse it.
//
//   0            timeout                         deadline         (both times s + 1)
//   │─ ping ────▶│─ ping requests, stream ping ─▶│─ suspect
//
// Source: SWIM (DSN 2002), section 3.1; Lifeguard (arXiv:1707.00788), LHA-Probe.
import type { Timer } from '../runtime/clock.ts'
import type { AckWaiter } from './acks.ts'
import { failedProbeDelta } from './awareness.ts'
import { type Ack, encodePingRequest } from './codec.ts'
import { ping, type SwimContext, stalled } from './context.ts'
import type { Member } from './member.ts'

/** Calls `onEnd` once, unless cancelled, with the ack if there was one. */
export class Probe implements AckWaiter {
  readonly #context: SwimContext
  readonly #member: Member
  readonly #onEnd: (ack: Ack | null) => void
  readonly #sequence: number | null
  readonly #deadlineAt: number
  #timer: Timer
  #mediators = 0
  #nacks = 0
  #over = false

  /** Begins at once. */
  constructor(context: SwimContext, member: Member, onEnd: (ack: Ack | null) => void) {
    const { clock, config, awareness, acks, counters } = context
    this.#context = context
    this.#member = member
    this.#onEnd = onEnd
    this.#deadlineAt = clock.now() + awareness.scale(config.probeIntervalMs)
    this.#sequence = acks.expect(this)
    this.#timer = clock.after(awareness.scale(config.probeTimeoutMs), () => this.#askOthers())
    counters.probes++
    if (this.#sequence !== null) ping(context, member, this.#sequence)
  }

  acked(ack: Ack): void {
    // An ack of another instance says nothing of the one we asked for.
    if (ack.instance === this.#member.instance) this.#succeed(ack)
  }

  nacked(): void {
    this.#nacks++
  }

  cancel(): void {
    this.#over = true
    this.#timer.cancel()
    if (this.#sequence !== null) this.#context.acks.drop(this.#sequence)
  }

  #askOthers(): void {
    const { clock, config, membership, packets, counters } = this.#context
    const { id } = this.#member
    counters.probesIndirect++
    this.#timer = clock.after(Math.max(0, this.#deadlineAt - clock.now()), () => this.#fail())
    void this.#pingByStream()
    if (this.#sequence === null) return
    const mediators = membership.table.pick(
      config.indirectProbes,
      each => each.state === 'alive' && each.id !== id
    )
    this.#mediators = mediators.length
    const request = encodePingRequest({
      sequence: this.#sequence,
      target: this.#member,
      sender: membership.self.id
    })
    for (const mediator of mediators) packets.post(mediator, [request])
  }

  async #pingByStream(): Promise<void> {
    try {
      await this.#context.transport.ping(this.#member.id)
    } catch {
      return
    }
    if (this.#over) return
    this.#context.counters.probesByStream++
    this.#succeed(null)
  }

  #succeed(ack: Ack | null): void {
    this.#context.awareness.add(-1)
    this.#end(ack)
  }

  #fail(): void {
    const { awareness, membership, counters } = this.#context
    const excused = stalled(this.#context, this.#deadlineAt)
    this.#end(null)
    if (excused) return
    counters.probesFailed++
    awareness.add(failedProbeDelta(this.#mediators, this.#nacks))
    membership.suspect(this.#member)
  }

  #end(ack: Ack | null): void {
    this.cancel()
    this.#onEnd(ack)
  }
}
