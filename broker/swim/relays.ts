// Pinging for others: a member that had no answer asks us to try, since perhaps only its own way is
// broken. We pass the ack on; or say in time that we had none either, so that it knows that we live.
// Source: SWIM (DSN 2002), section 3.1 (ping-req); Lifeguard (arXiv:1707.00788), section IV-A (nack).
import type { Timer } from '../runtime/clock.ts'
import type { AckWaiter } from './acks.ts'
import { type Ack, encodeAck, encodeNack, type PingRequest } from './codec.ts'
import { ping, type SwimContext } from './context.ts'
import { isLive, type Member } from './member.ts'
import type { Destination } from './packets.ts'

export class Relays {
  readonly #context: SwimContext
  readonly #relays = new Set<Relay>()

  constructor(context: SwimContext) {
    this.#context = context
  }

  /** Only members are pinged, lest anyone make us send packets to where he likes; for others there is a nack at once. */
  request(request: PingRequest, from: Destination): void {
    const { membership, packets, counters } = this.#context
    const member = membership.table.get(request.target.id)?.member
    if (member === undefined || !isLive(member) || member.id === membership.self.id) {
      packets.post(from, [encodeNack(request.sequence)])
      return
    }
    const relay = new Relay(this.#context, request.sequence, from, () => this.#relays.delete(relay))
    if (relay.ping(member)) {
      this.#relays.add(relay)
      counters.relays++
    } else {
      counters.relaysRefused++
    }
  }

  stop(): void {
    for (const relay of this.#relays) relay.cancel()
    this.#relays.clear()
  }
}

class Relay implements AckWaiter {
  readonly #context: SwimContext
  readonly #origin: Destination
  /** The asker's sequence number; ours is another. */
  readonly #originSequence: number
  readonly #onEnd: () => void
  #sequence: number | null = null
  #timer: Timer | null = null

  constructor(context: SwimContext, originSequence: number, origin: Destination, onEnd: () => void) {
    this.#context = context
    this.#originSequence = originSequence
    this.#origin = origin
    this.#onEnd = onEnd
  }

  /** False if too many pings are under way. */
  ping(member: Member): boolean {
    const { clock, config, acks } = this.#context
    this.#sequence = acks.expect(this)
    if (this.#sequence === null) return false
    // The asker still has interval - timeout; the nack must arrive within that.
    const nackMs = 0.8 * (config.probeIntervalMs - config.probeTimeoutMs)
    this.#timer = clock.after(nackMs, () => this.#nack())
    ping(this.#context, member, this.#sequence)
    return true
  }

  acked(ack: Ack): void {
    const { instance, digest } = ack
    this.#context.packets.post(this.#origin, [
      encodeAck({ sequence: this.#originSequence, instance, digest })
    ])
    this.cancel()
    this.#onEnd()
  }

  nacked(): void {}

  cancel(): void {
    this.#timer?.cancel()
    if (this.#sequence !== null) this.#context.acks.drop(this.#sequence)
  }

  /** An ack may still come, and still helps, while the asker waits: it does so longer when it is not well. */
  #nack(): void {
    const { clock, config, packets } = this.#context
    packets.post(this.#origin, [encodeNack(this.#originSequence)])
    this.#timer = clock.after(config.probeIntervalMs, () => {
      this.cancel()
      this.#onEnd()
    })
  }
}
