// Keys that this node holds and does not own. After each change of the ring they are offered to their owners: which want what
// they lack, as after a partition, and say what is safe without this node. A copy that belongs here stays; what has no
// business here goes once it is safe. A node that leaves waits until it holds nothing.
import { ShoalError } from '../../errors.ts'
import type { Timer } from '../../runtime/clock.ts'
import type { Upring } from '../../upring/api.ts'
import type { ReceivedMessage } from '../../upring/message.ts'
import type { Copier } from './copier.ts'
import { compare, type Entry } from './entry.ts'
import type { RecordsOptions } from './options.ts'
import type { Store } from './store.ts'
import { decodeRecords, decodeTexts, encodeVersion, pagesOf } from './wire.ts'

const TRY_MS = 2000
const PERIOD_MS = 1000
/** Of a node that leaves. */
const HASTE_MS = 20
const OFFERED_MAX = 256
const PAGE_BYTES = 64 * 1024

export interface StraysParts {
  readonly upring: Upring
  readonly store: Store
  readonly copier: Copier
  readonly options: RecordsOptions
  /** Whether the key is this node's, and all here. */
  owns(hash: number): boolean
  /** The owner has learned of a later write. */
  learned(entry: Entry): void
  /** A key is forgotten that was deleted long ago. */
  buried(entry: Entry): void
}

export class Strays {
  readonly #parts: StraysParts
  readonly #timer: Timer
  #sweeping: Promise<number> | null = null
  #isClosed = false
  /** What the last sweep left: 0 when all that is held here is where it belongs. */
  waiting = 0

  constructor(parts: StraysParts) {
    this.#parts = parts
    const { upring, options } = parts
    upring.add(`ns:${options.namespace},cmd:offer`, async request => this.#offered(request))
    upring.add(`ns:${options.namespace},cmd:give`, async request => this.#given(request))
    this.#timer = upring.clock.every(PERIOD_MS, () => void this.sweep())
  }

  /** Offers what is not confirmed; settles with how much is left. Never rejects. */
  sweep(): Promise<number> {
    this.#sweeping ??= this.#sweep().then(left => {
      this.#sweeping = null
      this.waiting = left
      return left
    })
    return this.#sweeping
  }

  /** Until nothing is left, there is nobody to take it, or `timeoutMs` have passed. Says how much is left. */
  async drain(timeoutMs: number): Promise<number> {
    const { upring, store } = this.#parts
    const deadline = upring.clock.now() + timeoutMs
    await this.sweep()
    while (store.size > 0 && upring.peers().length > 0 && upring.clock.now() < deadline) {
      await new Promise<void>(resolve => upring.clock.after(HASTE_MS, resolve))
      await this.sweep()
    }
    return store.size
  }

  close(): void {
    this.#isClosed = true
    this.#timer.cancel()
  }

  async #sweep(): Promise<number> {
    const { upring, store } = this.#parts
    const { digest } = upring
    this.#buryDead()
    let left = 0
    for (const [owner, entries] of this.#byOwner(digest)) {
      for (let at = 0; at < entries.length && !this.#isClosed; at += OFFERED_MAX) {
        const some = entries.slice(at, at + OFFERED_MAX)
        try {
          await this.#offer(owner, some, digest)
        } catch (error) {
          upring.log.debug({ peer: owner, error }, 'offer failed')
        }
        left += some.filter(entry => store.get(entry.key) === entry && entry.confirmed !== digest).length
      }
    }
    return left
  }

  /** Deletions that are old enough for all to have heard of them. */
  #buryDead(): void {
    const { upring, store, options, buried } = this.#parts
    const before = upring.clock.now() - options.tombstoneMs
    for (const entry of store.values()) {
      const { snapshot, changedAt, waiters } = entry
      if (snapshot.value !== null || changedAt > before || waiters.length > 0) continue
      store.delete(entry)
      buried(entry)
    }
  }

  #byOwner(digest: number): Map<string, Entry[]> {
    const { upring, store } = this.#parts
    const self = upring.whoami()
    const byOwner = new Map<string, Entry[]>()
    for (const entry of store.values()) {
      if (entry.confirmed === digest || entry.tracker !== null) continue
      const owner = upring.lookup(entry.hash)?.id
      if (owner === undefined || owner === self) continue
      const entries = byOwner.get(owner)
      if (entries === undefined) byOwner.set(owner, [entry])
      else entries.push(entry)
    }
    return byOwner
  }

  async #offer(owner: string, entries: readonly Entry[], digest: number): Promise<void> {
    const { upring, store, options } = this.#parts
    const peer = upring.peerConn({ id: owner })
    const ns = options.namespace
    const snapshots = entries.map(entry => entry.snapshot)
    const answer = await peer.request(
      { ns, cmd: 'offer', records: snapshots.map(encodeVersion) },
      { timeoutMs: TRY_MS }
    )
    const safe = new Set(decodeTexts(answer['safe']))
    const wanted = new Set(decodeTexts(answer['wanted']))
    for (const page of pagesOf(
      snapshots.filter(({ key }) => wanted.has(key)),
      PAGE_BYTES
    ))
      await peer.request({ ns, cmd: 'give', records: page }, { timeoutMs: TRY_MS })
    for (const [i, entry] of entries.entries()) {
      // A copy may have come meanwhile.
      if (!safe.has(entry.key) || entry.snapshot !== snapshots[i] || entry.tracker !== null) continue
      if (upring.next(entry.hash)?.id === upring.whoami()) entry.confirmed = digest
      else if (upring.digest === digest) store.delete(entry)
    }
  }

  #offered({ records }: ReceivedMessage): object {
    const { store, copier } = this.#parts
    const safe: string[] = []
    const wanted: string[] = []
    for (const record of decodeRecords(records)) {
      if (!this.#parts.owns(this.#parts.upring.hash(record.key))) continue
      const entry = store.get(record.key)
      if (entry === undefined || compare(record, entry.snapshot) > 0) {
        wanted.push(record.key)
        continue
      }
      // The other side of a partition may have counted further.
      const { revision } = entry.snapshot
      store.take(record)
      if (entry.snapshot.revision !== revision) this.#parts.learned(entry)
      if (copier.isSafe(entry)) safe.push(record.key)
      else copier.enqueue(entry)
    }
    return { safe, wanted }
  }

  #given({ records }: ReceivedMessage): object {
    const { store, owns, learned, upring } = this.#parts
    for (const record of decodeRecords(records)) {
      if (!owns(upring.hash(record.key))) throw new ShoalError('OWNER_MOVED', { key: record.key })
      if (store.take(record)) learned(store.entry(record.key))
    }
    return {}
  }
}
