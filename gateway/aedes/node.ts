// A node's part in keeping what aedes stores: it answers for the keys that it owns, and keeps copies of others. See README.md.
import { Readable } from 'node:stream'
import type { Broker } from '../../broker/broker.ts'
import { ShoalError } from '../../broker/errors.ts'
import { HybridClock } from '../../broker/router/hybrid-clock.ts'
import { matches } from '../../broker/topics/filter.ts'
import type { Upring } from '../../broker/upring/api.ts'
import type { ReceivedMessage } from '../../broker/upring/message.ts'
import { Copies } from './copies.ts'
import { RetainedPacket } from './retained-packet.ts'
import { type Queued, Session, type StoredWill } from './session.ts'
import type { MatchedSubscription } from './subscription-index.ts'
import { type EncodedState, type Item, type Operation, Table, type TableLimits } from './table.ts'
import { type Handed, isWithin, type Range, Takeover } from './takeover.ts'
import { View } from './view.ts'
import { breathe } from './waiting.ts'

const PRUNE_EVERY_MS = 15_000
/** Items that are looked at before others get their turn. */
const SLICE = 1000

interface Apply {
  key: string
  operations: Operation[]
}
interface Follow extends Apply {
  before: number
  after: number
}
interface Seen {
  view: string
}

export class AedesNode {
  readonly view: View
  readonly table: Table
  readonly copies: Copies
  readonly takeover: Takeover
  /** Called when the ring has changed and everything that this node owns is here. */
  onRestored: () => void = () => {}
  readonly #broker: Broker
  readonly #upring: Upring
  readonly #stamps: HybridClock
  #restoring: Promise<void> | null = null
  #isDirty = false

  /** Before the broker's start. */
  constructor(broker: Broker, limits: TableLimits) {
    const { upring, clock, log } = broker
    this.#broker = broker
    this.#upring = upring
    this.#stamps = new HybridClock(clock, 0)
    this.view = new View(upring)
    this.table = new Table({
      limits,
      stamps: this.#stamps,
      hash: key => upring.hash(key),
      nowMs: () => clock.now()
    })
    const parts = { upring, clock, log, table: this.table, view: this.view }
    this.takeover = new Takeover(parts)
    this.copies = new Copies(parts)
    for (const event of ['peerUp', 'peerDown', 'move', 'steal'] as const)
      upring.on(event, () => this.#changed())
    this.#answer()
    const pruning = clock.every(PRUNE_EVERY_MS, () => this.table.prune())
    upring.onClose(async () => {
      pruning.cancel()
      // Off the ring: all that is here belongs to others now.
      await this.copies.restore()
    })
  }

  /** Packets that were not queued because of a limit. */
  get dropped(): number {
    let dropped = 0
    for (const [, session] of this.table.sessions()) dropped += session.dropped
    return dropped
  }

  /** Wills of the sessions that this node owns. */
  *wills(): Generator<[clientId: string, will: StoredWill]> {
    for (const [item, session] of this.table.sessions())
      if (session.will !== null && this.#upring.allocatedToMe(item.hash))
        yield [session.clientId, session.will]
  }

  #answer(): void {
    const upring = this.#upring
    const add = <Request, Reply>(cmd: string, handler: (request: Request) => Promise<Reply>): void => {
      upring.add<Request & ReceivedMessage, Reply>({ ns: 'aedes', cmd }, handler)
    }
    add<Apply, { results: unknown[] }>('apply', async ({ key, operations }) => {
      await this.#own(key)
      return { results: await this.#apply(this.table.make(key), operations) }
    })
    add<{ key: string; after: number }, object>('queue', async ({ key, after }) => {
      await this.#own(key)
      const state = this.table.items.get(key)?.state
      const queued: Queued[] = state instanceof Session ? state.queued(after) : []
      const plain = queued.map(({ serial, messageId, bytes }) => ({ serial, messageId, bytes }))
      return { streams: { items: Readable.from(plain) } }
    })
    add<Follow, { isBehind: boolean }>('follow', async request => ({ isBehind: !this.#follow(request) }))
    add<Handed, { newer: Handed | null }>('put', async handed => ({ newer: this.#put(handed) }))
    add<Handed, { newer: Handed | null }>('give', async handed => {
      await this.#own(handed.key)
      const newer = this.#put(handed)
      await this.copies.written(this.table.items.get(handed.key)!)
      return { newer }
    })
    add<Seen & { ranges: Range[] }, object>('take', async ({ view, ranges }) => {
      this.#agree(view)
      return { streams: { items: Readable.from(this.#handOver(ranges)) } }
    })
    add<Seen & { topics: string[] }, { matches: MatchedSubscription[][] }>(
      'match',
      async ({ view, topics }) => {
        await this.#complete(view)
        return { matches: topics.map(topic => this.#match(topic)) }
      }
    )
    add<Seen & { filter: string }, object>('retained', async ({ view, filter }) => {
      await this.#complete(view)
      return { streams: { items: Readable.from(this.#retained(filter)) } }
    })
    add<Seen & { filter: string }, object>('clients', async ({ view, filter }) => {
      await this.#complete(view)
      return { streams: { items: Readable.from(this.#clients(filter)) } }
    })
    add<Seen, { subscriptions: number; clients: number }>('count', async ({ view }) => {
      await this.#complete(view)
      return this.#count()
    })
  }

  /** Settles when this node owns the key and has all that is kept under it. Throws OWNER_MOVED. */
  async #own(key: string): Promise<void> {
    const hash = this.#upring.hash(key)
    const awaited = this.takeover.awaited(hash)
    if (awaited !== null) await awaited
    if (!this.#upring.allocatedToMe(hash)) throw new ShoalError('OWNER_MOVED', { key })
  }

  /** The results in order, when the replica has what changed. */
  async #apply(item: Item, operations: readonly Operation[]): Promise<unknown[]> {
    const isNew = item.stamp === 0
    const outcomes = operations.map(operation => item.state.apply(operation as never))
    const changes = operations.filter((_operation, at) => outcomes[at]!.changed)
    const results = outcomes.map(({ result }) => result)
    if (changes.length === 0) {
      // Nothing is kept of a client that was only asked for.
      if (isNew && item.stamp === 0 && item.waiters.length === 0) this.table.remove(item)
      return results
    }
    this.table.stamped(item, Math.max(this.#stamps.next(), item.stamp + 1))
    await this.copies.written(item, changes)
    return results
  }

  /** As a replica. False if what is here is not what the operations were made on. */
  #follow({ key, before, after, operations }: Follow): boolean {
    const item = this.table.items.get(key)
    if (item === undefined || item.stamp !== before) return false
    for (const operation of operations) item.state.apply(operation as never)
    this.#stamps.merge(after)
    this.table.stamped(item, after)
    return true
  }

  /** What is here, if that is newer than what came. */
  #put({ key, stamp, state }: Handed): Handed | null {
    const isTaken = this.table.adopt(key, stamp, state)
    const item = this.table.items.get(key)!
    if (isTaken && this.#upring.allocatedToMe(item.hash)) this.#changed()
    if (isTaken || item.stamp === stamp) return null
    return { key, stamp: item.stamp, state: item.state.encode() as EncodedState }
  }

  #agree(view: string): void {
    if (view !== this.view.id) throw new ShoalError('OWNER_MOVED', { reason: 'another view of the ring' })
  }

  /** Throws OWNER_MOVED unless this node sees the same ring as the asker when it has all that it owns. */
  async #complete(view: string): Promise<void> {
    this.#agree(view)
    await this.takeover.settled()
    this.#agree(view)
  }

  #match(topic: string): MatchedSubscription[] {
    return this.table.index.match(topic).filter(({ clientId }) => this.#owns(clientId))
  }

  #owns(clientId: string): boolean {
    return this.#upring.allocatedToMe(`session/${clientId}`)
  }

  async *#retained(filter: string): AsyncGenerator<{ topic: string; bytes: Uint8Array }> {
    let looked = 0
    for (const { state, hash } of this.table.items.values()) {
      if (++looked % SLICE === 0) await breathe(this.#broker.clock)
      if (!(state instanceof RetainedPacket) || state.bytes === null) continue
      if (matches(filter, state.topic) && this.#upring.allocatedToMe(hash))
        yield { topic: state.topic, bytes: state.bytes }
    }
  }

  *#clients(filter: string): Generator<{ clientId: string }> {
    for (const [{ hash }, { clientId, subscriptions }] of this.table.sessions())
      if (subscriptions.has(filter) && this.#upring.allocatedToMe(hash)) yield { clientId }
  }

  #count(): { subscriptions: number; clients: number } {
    const count = { subscriptions: 0, clients: 0 }
    for (const [{ hash }, { subscriptions }] of this.table.sessions()) {
      if (subscriptions.size === 0 || !this.#upring.allocatedToMe(hash)) continue
      count.clients++
      for (const { qos } of subscriptions.values()) if (qos > 0) count.subscriptions++
    }
    return count
  }

  *#handOver(ranges: readonly Range[]): Generator<Handed> {
    for (const { key, hash, stamp, state } of this.table.items.values())
      if (isWithin(hash, ranges)) yield { key, stamp, state: state.encode() as EncodedState }
  }

  #changed(): void {
    this.#isDirty = true
    this.#restoring ??= this.#restore()
  }

  async #restore(): Promise<void> {
    while (this.#isDirty) {
      this.#isDirty = false
      await this.takeover.settled()
      try {
        await this.copies.restore()
        this.onRestored()
      } catch (error) {
        if (this.#broker.closing) break
        this.#broker.log.warn({ error }, 'aedes state not restored')
      }
    }
    this.#restoring = null
  }
}
