// Brings what the owner of a key has to the key's replica, the next node on the ring. Writes are answered, and seen by
// readers, once they are there. Writes that come while a copy is on its way go together with the next one.
//
//   write 1 ──▶ copy 1 ······▶ committed
//   write 2 ──────┐
//   write 3 ──────┴──────────▶ copy 3 ······▶ both committed, in their order
import { ShoalError } from '../../errors.ts'
import type { Upring } from '../../upring/api.ts'
import type { Entry, Snapshot, Waiter } from './entry.ts'
import type { RecordsOptions } from './options.ts'
import type { Store } from './store.ts'
import { decodeRecord, encodeRecord } from './wire.ts'

/** For one try; then the ring is asked again who the replica is. */
const TRY_MS = 2000
const PAUSE_MS = 20
const PAUSE_MS_MAX = 500
/** Keys that are copied at once when the replica has changed. Writes do not wait for those. */
const BACKGROUND_MAX = 64

export interface CopierEvents {
  /** Readers may see it. In the order of its key's revisions. */
  committed(entry: Entry, snapshot: Snapshot): void
}

export class Copier {
  readonly #upring: Upring
  readonly #store: Store
  readonly #options: RecordsOptions
  readonly #events: CopierEvents
  readonly #background = new Set<Entry>()
  #inBackground = 0
  #isClosed = false
  readonly counters = { copies: 0, failed: 0 }

  constructor(upring: Upring, store: Store, options: RecordsOptions, events: CopierEvents) {
    this.#upring = upring
    this.#store = store
    this.#options = options
    this.#events = events
  }

  /** Keys whose copies wait for their turn, or are under way without anybody waiting. */
  get waiting(): number {
    return this.#background.size + this.#inBackground
  }

  /** The replica has all that this node has of its own key. */
  isSafe(entry: Entry): boolean {
    if (entry.tracker === null || entry.copied < entry.snapshot.revision) return false
    return entry.copiedTo === (this.#upring.next(entry.hash)?.id ?? null)
  }

  /** Settles when the replica has this revision of a key that is owned here. Rejects OWNER_MOVED when the key moves. */
  committed(entry: Entry, snapshot: Snapshot): Promise<void> {
    return new Promise((resolve, reject) => {
      entry.waiters.push({ snapshot, settle: error => (error === null ? resolve() : reject(error)) })
      void this.#copy(entry)
    })
  }

  /** As soon as there is room. */
  enqueue(entry: Entry): void {
    this.#background.add(entry)
    this.#pump()
  }

  /** The key is another's now. */
  moved(entry: Entry): void {
    this.#background.delete(entry)
    for (const { settle } of take(entry, Number.POSITIVE_INFINITY))
      settle(new ShoalError('OWNER_MOVED', { key: entry.key }))
  }

  close(): void {
    this.#isClosed = true
    this.#background.clear()
  }

  #pump(): void {
    for (const entry of this.#background) {
      if (this.#inBackground >= BACKGROUND_MAX) return
      this.#background.delete(entry)
      this.#inBackground++
      void this.#copy(entry).then(() => {
        this.#inBackground--
        this.#pump()
      })
    }
  }

  /** Until there is nothing to copy, or the key has moved. Never rejects. */
  async #copy(entry: Entry): Promise<void> {
    if (entry.isCopying) return
    entry.isCopying = true
    let pauseMs = PAUSE_MS
    while (entry.tracker !== null && !this.#isClosed && (!this.isSafe(entry) || entry.waiters.length > 0)) {
      const { snapshot } = entry
      const replica = this.#upring.next(entry.hash)
      if (replica === null || (await this.#send(replica.id, entry, snapshot))) {
        entry.copied = snapshot.revision
        entry.copiedTo = replica?.id ?? null
        this.#commit(entry, snapshot)
        pauseMs = PAUSE_MS
      } else {
        this.counters.failed++
        await new Promise<void>(resolve => this.#upring.clock.after(pauseMs, resolve))
        pauseMs = Math.min(PAUSE_MS_MAX, pauseMs * 2)
      }
    }
    entry.isCopying = false
  }

  /** True when the replica has it. */
  async #send(replica: string, entry: Entry, snapshot: Snapshot): Promise<boolean> {
    this.counters.copies++
    try {
      const { newer } = await this.#upring.peerConn({ id: replica }).request(
        {
          ns: this.#options.namespace,
          cmd: 'copy',
          key: entry.key,
          from: this.#upring.whoami(),
          record: encodeRecord(snapshot)
        },
        { timeoutMs: TRY_MS }
      )
      // The replica comes from the other side of a partition.
      if (newer !== undefined && newer !== null) this.#store.take(decodeRecord(newer))
      return true
    } catch (error) {
      this.#upring.log.debug({ key: entry.key, replica, error }, 'copy failed')
      return false
    }
  }

  #commit(entry: Entry, snapshot: Snapshot): void {
    if (entry.tracker === null) return
    for (const waiter of take(entry, snapshot.revision)) {
      this.#see(entry, waiter.snapshot)
      waiter.settle(null)
    }
    this.#see(entry, snapshot)
  }

  #see(entry: Entry, snapshot: Snapshot): void {
    if (snapshot.revision <= entry.visible.revision) return
    entry.visible = snapshot
    this.#events.committed(entry, snapshot)
  }
}

/** Removes the waiters up to a revision. They are in its order. */
function take(entry: Entry, revision: number): Waiter[] {
  const count = entry.waiters.findIndex(waiter => waiter.snapshot.revision > revision)
  return entry.waiters.splice(0, count === -1 ? entry.waiters.length : count)
}
