// Push-pull: two members exchange all they know, over the reliable way. So a node joins; so members
// that missed a rumour are put right; so the two sides of a healed partition find each other again.
// A digest in each ack tells when two members differ though no rumour is under way; where it says that they agree,
// there is nothing to exchange.
// Source: memberlist's push-pull; Demers et al. 1987, anti-entropy.
import { ShoalError } from '../errors.ts'
import type { Timer } from '../runtime/clock.ts'
import { decodeState, encodeState } from './codec.ts'
import type { SwimContext } from './context.ts'
import type { Seal } from './seal.ts'

/**
 * A node that joins, and learns of more members than this, passes none of it on: others know it. Below, the rumours are
 * few, and help where many join at the same time.
 */
const QUIET_ABOVE = 256

/** `interval · max(1, ⌈log2 n⌉ - 4)`: a whole state is larger in a larger cluster. */
export function syncScaleMs(intervalMs: number, members: number): number {
  return intervalMs * Math.max(1, Math.ceil(Math.log2(Math.max(1, members))) - 4)
}

export class Sync {
  readonly #context: SwimContext
  readonly #ring: number
  readonly #seal: Seal
  /** Each ends a push-pull that is under way. */
  readonly #aborts = new Set<(error: ShoalError) => void>()
  #syncTimer: Timer | null = null
  #rejoinTimer: Timer | null = null
  /** One of our own accord at a time; those of `join` come on top. */
  #busy = false
  #lastAt = Number.NEGATIVE_INFINITY
  /** When a member that we pinged last had the view that we have. */
  #agreedAt = Number.NEGATIVE_INFINITY
  #stopped = false

  constructor(context: SwimContext, ring: number, seal: Seal) {
    this.#context = context
    this.#ring = ring
    this.#seal = seal
  }

  start(): void {
    const { clock, random, config } = this.#context
    this.#scheduleSync(random.next() * config.syncIntervalMs)
    this.#rejoinTimer = clock.every(config.rejoinIntervalMs, () => this.#rejoin())
  }

  /** Ends all that is under way with CLOSED. */
  stop(): void {
    this.#stopped = true
    this.#syncTimer?.cancel()
    this.#rejoinTimer?.cancel()
    for (const abort of [...this.#aborts]) abort(new ShoalError('CLOSED'))
  }

  /** Push-pull with each address but our own, at the same time: how many others answered. Rejects: JOIN_FAILED, CLOSED. */
  async join(addresses: readonly string[]): Promise<number> {
    if (this.#stopped) throw new ShoalError('CLOSED')
    const selfId = this.#context.membership.self.id
    const others = [...new Set(addresses)].filter(address => address !== selfId)
    const outcomes = await Promise.allSettled(others.map(address => this.#exchange(address)))
    if (this.#stopped) throw new ShoalError('CLOSED')
    const answered = outcomes.filter(each => each.status === 'fulfilled' && each.value !== selfId).length
    const failure = outcomes.find(each => each.status === 'rejected')
    if (answered === 0 && failure !== undefined)
      throw new ShoalError('JOIN_FAILED', { addresses: others }, failure.reason)
    return answered
  }

  /** The answer to another's state. Throws PACKET_INVALID, and then has changed nothing. */
  receive(bytes: Uint8Array): Uint8Array {
    if (this.#stopped) throw new ShoalError('CLOSED')
    this.#merge(bytes)
    return this.#state()
  }

  /** An ack has told how another sees the cluster. If neither rumours here explain the difference, ask. */
  compare(digest: number, memberId: string): void {
    const { clock, config, gossip, membership } = this.#context
    if (digest === membership.table.digest) {
      this.#agreedAt = clock.now()
      return
    }
    if (gossip.size > 0 || clock.now() - this.#lastAt < config.syncGapMs) return
    void this.#attempt(memberId)
  }

  /** At rest all acks agree, and no state is sent: it would be 75 KB both ways in a cluster of a thousand. */
  #scheduleSync(delayMs: number): void {
    const { clock, config, membership, counters } = this.#context
    this.#syncTimer = clock.after(delayMs, () => {
      const agreed = clock.now() - this.#agreedAt < delayMs
      this.#scheduleSync(syncScaleMs(config.syncIntervalMs, membership.table.liveCount))
      if (agreed) {
        counters.syncsSpared++
        return
      }
      const [member] = membership.table.pick(1, each => each.state === 'alive')
      if (member !== undefined) void this.#attempt(member.id)
    })
  }

  /** The smaller side of a partition has more dead than live members, so each of its nodes tries every time. */
  #rejoin(): void {
    const { clock, random, config, membership, counters } = this.#context
    const { table } = membership
    table.forgetGone(clock.now() - config.deadMemoryMs)
    if (random.next() * table.liveCount >= table.deadCount) return
    const [member] = table.pick(1, each => each.state === 'dead')
    if (member === undefined || this.#busy) return
    counters.rejoins++
    void this.#attempt(member.id)
  }

  async #attempt(address: string): Promise<void> {
    if (this.#busy || this.#stopped) return
    this.#busy = true
    this.#lastAt = this.#context.clock.now()
    try {
      await this.#exchange(address)
    } catch (error) {
      this.#context.log.debug({ address, error: String(error) }, 'push-pull failed')
    }
    this.#busy = false
  }

  /** Resolves with the id of the one who answered. */
  async #exchange(address: string): Promise<string> {
    const { transport, counters } = this.#context
    try {
      const answer = await this.#withDeadline(transport.pushPull(address, this.#state()))
      const sender = this.#merge(answer)
      counters.syncs++
      return sender
    } catch (error) {
      counters.syncsFailed++
      throw error
    }
  }

  #state(): Uint8Array {
    const { membership } = this.#context
    return this.#seal.seal(
      encodeState(this.#ring, { sender: membership.self.id, news: membership.allNews() })
    )
  }

  #merge(sealed: Uint8Array): string {
    const { config, membership, counters } = this.#context
    try {
      const { sender, news } = decodeState(this.#ring, this.#seal.open(sealed).packet, config.membersMax)
      membership.merge(news, sender, membership.table.liveCount === 1 && news.length > QUIET_ABOVE)
      return sender
    } catch (error) {
      if (error instanceof ShoalError && error.code === 'PACKET_INVALID') counters.packetsInvalid++
      throw error
    }
  }

  #withDeadline<T>(promise: Promise<T>): Promise<T> {
    const { clock, config } = this.#context
    return new Promise((resolve, reject) => {
      const end = (): void => {
        timer.cancel()
        this.#aborts.delete(abort)
      }
      const abort = (error: ShoalError): void => {
        end()
        reject(error)
      }
      const timer = clock.after(config.syncTimeoutMs, () => abort(new ShoalError('TIMEOUT')))
      this.#aborts.add(abort)
      promise.then(resolve, reject).finally(end)
    })
  }
}
