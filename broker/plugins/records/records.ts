// Keys and their values on a ring: one owner each, who orders the writes; a copy at the next node, before a write is answered;
// handed over whenever the ring changes. What kv and discovery keep their data in.
//
//   copier.ts    owner → replica               strays.ts    what is held in the wrong place → owner
//   arrivals.ts  everyone → a new owner        watchers.ts  owner → live.ts, the readers of live streams
import type { Readable } from 'node:stream'
import { ShoalError } from '../../errors.ts'
import { HybridClock } from '../../router/hybrid-clock.ts'
import type { Upring } from '../../upring/api.ts'
import type { ReceivedMessage } from '../../upring/message.ts'
import { Arrivals } from './arrivals.ts'
import { Copier } from './copier.ts'
import { absent, compare, type Entry, type Snapshot } from './entry.ts'
import type { RecordsOptions } from './options.ts'
import { Store } from './store.ts'
import { Strays } from './strays.ts'
import { Watchers } from './watchers.ts'
import { decodeRecord, encodeRecord } from './wire.ts'

/** What a plugin may want to know of the keys that its node owns. Called in the order of each key's revisions. */
export interface RecordsEvents {
  /** The key is owned here from now on, or has changed. */
  seen(snapshot: Snapshot): void
  /** It is another's now. */
  lost(key: string): void
}

export interface RecordsStatus {
  /** Keys held, of which `owned` are this node's own; the others are copies. */
  readonly keys: number
  readonly owned: number
  readonly bytes: number
  readonly watchers: number
  /** What is on its way: to this node, to replicas, and to owners. All 0 when every key is where it belongs. */
  readonly waiting: { readonly arrivals: number; readonly copies: number; readonly strays: number }
  readonly counters: Readonly<Record<string, number>>
}

export class Records {
  readonly options: RecordsOptions
  readonly #upring: Upring
  readonly #events: RecordsEvents
  readonly #clock: HybridClock
  readonly #store: Store
  readonly #watchers: Watchers
  readonly #copier: Copier
  readonly #arrivals: Arrivals
  readonly #strays: Strays
  #owned = 0

  /** Adds its requests to `upring`, whose plugins are being loaded. */
  constructor(upring: Upring, options: RecordsOptions, events: RecordsEvents) {
    this.options = options
    this.#upring = upring
    this.#events = events
    this.#clock = new HybridClock(upring.clock, 0)
    const store = new Store(key => upring.hash(key), upring.clock)
    this.#store = store
    this.#watchers = new Watchers(options.watchersMax, options.updatesMax)
    this.#copier = new Copier(upring, store, options, {
      committed: (_entry, snapshot) => this.#committed(snapshot)
    })
    this.#arrivals = new Arrivals(upring, store, options, () => this.#arrived())
    this.#strays = new Strays({
      upring,
      store,
      copier: this.#copier,
      options,
      owns: hash => this.#owns(hash),
      learned: entry => this.#learned(entry),
      buried: entry => {
        entry.tracker?.end()
        if (entry.tracker !== null) this.#disown(entry)
      }
    })
    upring.add(`ns:${options.namespace},cmd:copy`, async request => this.#copied(request))
    upring.on('move', () => this.#moved())
  }

  get status(): RecordsStatus {
    return {
      keys: this.#store.size,
      owned: this.#owned,
      bytes: this.#store.bytes,
      watchers: this.#watchers.size,
      waiting: {
        arrivals: this.#arrivals.waiting,
        copies: this.#copier.waiting,
        strays: this.#strays.waiting
      },
      counters: {
        ...this.#copier.counters,
        ...this.#arrivals.counters,
        updatesDropped: this.#watchers.dropped
      }
    }
  }

  /**
   * Writes a key that this node owns, by a function of what is there (null: nothing), which returns the same to change nothing,
   * and null to delete. Settles when the replica has it. Rejects: OWNER_MOVED (the handler that throws it has its request
   * routed again), LIMIT_EXCEEDED, PAYLOAD_TOO_LARGE, and what `change` throws.
   */
  async write(key: string, change: (value: Uint8Array | null) => Uint8Array | null): Promise<Snapshot> {
    await this.#mustOwn(key)
    const before = this.#store.get(key)?.snapshot ?? absent(key)
    const value = change(before.value)
    if (value === before.value) return before
    this.#mustFit(key, value)
    const entry = this.#store.entry(key)
    if (entry.waiters.length >= this.options.writesMax)
      throw new ShoalError('LIMIT_EXCEEDED', { limit: 'writesMax', key })
    this.#clock.merge(before.stamp)
    const stamp = Math.max(this.#clock.next(), before.stamp + 1)
    const snapshot = { key, revision: before.revision + 1, stamp, by: this.#upring.whoami(), value }
    this.#own(entry)
    this.#store.set(entry, snapshot)
    await this.#copier.committed(entry, snapshot)
    return snapshot
  }

  /** What is there, and safe. Rejects: OWNER_MOVED, LIMIT_EXCEEDED. */
  async read(key: string): Promise<Snapshot> {
    await this.#mustOwn(key)
    return this.#store.get(key)?.visible ?? absent(key)
  }

  /** What `Live` reads. Rejects: OWNER_MOVED, LIMIT_EXCEEDED. */
  async watch(key: string): Promise<Readable> {
    return this.#watchers.watch(await this.read(key))
  }

  /** Waits until others have what is here, `handoverTimeoutMs` at most. */
  async close(): Promise<void> {
    const left = await this.#strays.drain(this.options.handoverTimeoutMs)
    if (left > 0 && this.#upring.peers().length > 0)
      this.#upring.log.warn({ ns: this.options.namespace, keys: left }, 'records not handed over')
    this.#strays.close()
    this.#arrivals.close()
    this.#copier.close()
  }

  #owns(hash: number): boolean {
    return this.#upring.allocatedToMe(hash) && !this.#arrivals.isClosed(hash)
  }

  async #mustOwn(key: string): Promise<void> {
    const hash = this.#upring.hash(key)
    while (this.#upring.allocatedToMe(hash) && this.#arrivals.isClosed(hash))
      await this.#arrivals.passed(hash)
    if (!this.#owns(hash)) throw new ShoalError('OWNER_MOVED', { key })
  }

  #mustFit(key: string, value: Uint8Array | null): void {
    const { keysMax, bytesMax, valueBytesMax } = this.options
    const length = value?.length ?? 0
    if (length > valueBytesMax)
      throw new ShoalError('PAYLOAD_TOO_LARGE', { key, bytes: length, valueBytesMax })
    const entry = this.#store.get(key)
    if (entry === undefined && this.#store.size >= keysMax)
      throw new ShoalError('LIMIT_EXCEEDED', { limit: 'keysMax', max: keysMax })
    const growth = length - (entry?.snapshot.value?.length ?? -key.length)
    if (growth > 0 && this.#store.bytes + growth > bytesMax)
      throw new ShoalError('LIMIT_EXCEEDED', { limit: 'bytesMax', max: bytesMax })
  }

  /** The key is this node's, and all that was written to it is here. */
  #own(entry: Entry): void {
    if (entry.tracker !== null) return
    const tracker = this.#upring.track(entry.hash, { replica: true })
    entry.tracker = tracker
    entry.copied = 0
    entry.confirmed = -1
    this.#owned++
    tracker.on('replica', () => {
      // Also one that was restarted under its old id, and has nothing.
      entry.copied = 0
      this.#copier.enqueue(entry)
    })
    tracker.on('move', () => this.#disown(entry))
  }

  #disown(entry: Entry): void {
    entry.tracker = null
    this.#owned--
    this.#copier.moved(entry)
    this.#events.lost(entry.key)
  }

  /** Handed over: readers may see it at once, since it was safe at another node or nobody was told of it. */
  #adopt(entry: Entry): void {
    entry.visible = entry.snapshot
    try {
      this.#own(entry)
    } catch (error) {
      // More than can be tracked: it stays here without a copy. The handover of the others goes on.
      this.#upring.log.error({ key: entry.key, error }, 'key not tracked')
      return
    }
    this.#copier.enqueue(entry)
    this.#events.seen(entry.visible)
  }

  #arrived(): void {
    for (const entry of this.#store.values())
      if (entry.tracker === null && this.#owns(entry.hash)) this.#adopt(entry)
  }

  #learned(entry: Entry): void {
    this.#clock.merge(entry.snapshot.stamp)
    this.#own(entry)
    this.#copier.enqueue(entry)
  }

  #committed(snapshot: Snapshot): void {
    this.#watchers.tell(snapshot)
    this.#events.seen(snapshot)
  }

  #moved(): void {
    for (const key of this.#watchers.keys()) if (!this.#upring.allocatedToMe(key)) this.#watchers.end(key)
  }

  /** The owner's copy. Taken only from whom this node, too, sees as the owner: see arrivals.ts. */
  #copied({ from, record }: ReceivedMessage): object {
    const copy = decodeRecord(record)
    const hash = this.#upring.hash(copy.key)
    if (typeof from !== 'string' || this.#upring.lookup(hash)?.id !== from)
      throw new ShoalError('OWNER_MOVED', { key: copy.key, reason: 'another view of the ring' })
    this.#clock.merge(copy.stamp)
    this.#store.take(copy)
    const entry = this.#store.entry(copy.key)
    if (compare(entry.snapshot, copy) > 0) return { newer: encodeRecord(entry.snapshot) }
    if (this.#upring.next(hash)?.id === this.#upring.whoami()) entry.confirmed = this.#upring.digest
    return {}
  }
}
