// What to make of a member whose host has refused a connection: its host lives, and nobody listens.
// If the process is gone, so is its socket for gossip: a few quick pings without an answer, and it is
// dead, without the long wait that a silent host deserves. One that lives refutes.
import type { Timer } from '../runtime/clock.ts'
import type { AckWaiter } from './acks.ts'
import type { Ack } from './codec.ts'
import { ping, type SwimContext, stalled } from './context.ts'
import type { Member } from './member.ts'

/** Pings that were spoilt because our own process stood still are repeated, but only so often. */
const STALLS_MAX = 5

/** Calls `onEnd` once, unless cancelled. */
export class Refusal implements AckWaiter {
  readonly #context: SwimContext
  readonly #member: Member
  readonly #onEnd: () => void
  #triesLeft: number
  #stallsLeft = STALLS_MAX
  #sequence: number | null = null
  #dueAt = 0
  #timer: Timer | null = null

  /** Begins at once. */
  constructor(context: SwimContext, member: Member, onEnd: () => void) {
    this.#context = context
    this.#member = member
    this.#onEnd = onEnd
    this.#triesLeft = context.config.hintTries
    this.#try()
  }

  acked(ack: Ack): void {
    if (ack.instance === this.#member.instance) this.#end()
  }

  nacked(): void {}

  cancel(): void {
    this.#timer?.cancel()
    if (this.#sequence !== null) this.#context.acks.drop(this.#sequence)
  }

  #try(): void {
    const { clock, config, awareness, acks } = this.#context
    const waitMs = awareness.scale(config.hintTimeoutMs)
    this.#triesLeft--
    this.#dueAt = clock.now() + waitMs
    this.#sequence ??= acks.expect(this)
    this.#timer = clock.after(waitMs, () => this.#timedOut())
    if (this.#sequence !== null) ping(this.#context, this.#member, this.#sequence)
  }

  #timedOut(): void {
    const spoilt = stalled(this.#context, this.#dueAt)
    if (spoilt && this.#stallsLeft-- > 0) this.#triesLeft++
    if (this.#triesLeft > 0) {
      this.#try()
    } else {
      const unheard = this.#sequence !== null && !spoilt
      this.#end()
      if (unheard) this.#condemn()
    }
  }

  /** The member as it is now: it may have changed its metadata just before it ended. */
  #condemn(): void {
    const { membership } = this.#context
    const member = membership.table.get(this.#member.id)?.member
    if (member?.instance === this.#member.instance) membership.declareDead(member)
  }

  #end(): void {
    this.cancel()
    this.#onEnd()
  }
}
