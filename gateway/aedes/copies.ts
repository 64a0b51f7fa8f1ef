// Keeps the copy of every item where it belongs: at the node that takes over when the owner dies. A write is answered when the copy
// has it. A copy that is one step behind is sent the operations, any other one the state; and what this node has no business with
// any more it gives to the owner, and forgets.
import { ShoalError } from '../../broker/errors.ts'
import type { Clock } from '../../broker/runtime/clock.ts'
import type { Log } from '../../broker/runtime/log.ts'
import type { Upring } from '../../broker/upring/api.ts'
import type { EncodedState, Item, Operation, Table } from './table.ts'
import type { Handed } from './takeover.ts'
import { breathe, isPassing, pause } from './waiting.ts'

/** Items that are looked at, or copied, before others get their turn. */
const SLICE = 500
/** Copies that are made at once when the ring has changed. */
const PARALLEL = 32
/** So long an owner is asked to take what is its own. */
const GIVE_TIMEOUT_MS = 10_000

export interface CopiesParts {
  upring: Upring
  clock: Clock
  log: Log
  table: Table
}

export class Copies {
  readonly counters = { copied: 0, moved: 0, failed: 0 }
  readonly #parts: CopiesParts

  constructor(parts: CopiesParts) {
    this.#parts = parts
    // It may come back with nothing.
    parts.upring.on('peerDown', ({ id }) => {
      for (const item of parts.table.items.values()) if (item.copiedTo === id) item.copiedTo = null
    })
  }

  /** Settles when the replica has the item as it is now, after these operations. Rejects: OWNER_MOVED, or what the replica failed with. */
  async written(item: Item, operations: readonly Operation[] = []): Promise<void> {
    item.unsent.push(...operations)
    const done = new Promise<void>((resolve, reject) => {
      item.waiters.push({ stamp: item.stamp, resolve, reject })
    })
    if (!item.isCopying) void this.#copy(item)
    await done
  }

  /** Puts every item in its place after the ring has changed. */
  async restore(): Promise<void> {
    const { upring, table } = this.#parts
    const uncopied: Item[] = []
    const strays: Item[] = []
    let looked = 0
    for (const item of [...table.items.values()]) {
      if (++looked % SLICE === 0) await breathe(this.#parts.clock)
      const replica = upring.next(item.hash)?.id ?? null
      if (upring.allocatedToMe(item.hash)) {
        if (replica !== null && item.copiedTo !== replica) uncopied.push(item)
      } else if (replica !== upring.whoami()) strays.push(item)
    }
    await inParallel(uncopied, item => this.#copy(item))
    await inParallel(strays, item => this.#giveAway(item))
  }

  /**
   * One at a time for an item; goes on until there is nothing to be copied, or the replica refuses it for good: then whoever wrote is
   * told, and it is tried again with the next write, or when the ring changes. Never rejects.
   */
  async #copy(item: Item): Promise<void> {
    if (item.isCopying) return
    item.isCopying = true
    const { upring, clock, log } = this.#parts
    for (;;) {
      if (!upring.allocatedToMe(item.hash)) {
        this.#settle(item, new ShoalError('OWNER_MOVED', { key: item.key }))
        break
      }
      const replica = upring.next(item.hash)?.id ?? null
      if (replica === null) {
        this.#settle(item, null)
        break
      }
      if (item.copiedTo === replica && item.copiedStamp === item.stamp) {
        this.#release(item)
        break
      }
      try {
        if (item.copiedTo === replica) await this.#sendOperations(item, replica)
        else await this.#sendState(item, replica)
        if (upring.next(item.hash)?.id === replica) this.#release(item)
      } catch (error) {
        item.copiedTo = null
        this.counters.failed++
        if (!isPassing(error)) {
          log.warn({ key: item.key, replica, error }, 'aedes state not copied')
          this.#settle(item, error as Error)
          break
        }
        await pause(clock)
      }
    }
    item.isCopying = false
  }

  async #sendOperations(item: Item, replica: string): Promise<void> {
    const { stamp, state, copiedStamp, unsent } = item
    item.unsent = []
    const { isBehind } = await this.#parts.upring.peerConn({ id: replica }).request<{ isBehind: boolean }>({
      ns: 'aedes',
      cmd: 'follow',
      key: item.key,
      before: copiedStamp,
      after: stamp,
      operations: unsent
    })
    // Another state may have come meanwhile, which these operations do not lead to.
    if (isBehind || item.state !== state) item.copiedTo = null
    else item.copiedStamp = stamp
    this.counters.copied++
  }

  async #sendState(item: Item, replica: string): Promise<void> {
    const { stamp, state } = item
    item.unsent = []
    const newer = await this.#send('put', item, replica)
    // A partition has healed, and the other side wrote last.
    if (newer !== null && this.#parts.table.adopt(item.key, newer.stamp, newer.state)) return
    if (item.state !== state) return
    item.copiedTo = replica
    item.copiedStamp = stamp
    this.counters.copied++
  }

  async #send(cmd: 'put' | 'give', { key, stamp, state }: Item, node: string): Promise<Handed | null> {
    const message = { ns: 'aedes', cmd, key, stamp, state: state.encode() as EncodedState }
    const { newer } = await this.#parts.upring
      .peerConn({ id: node })
      .request<{ newer: Handed | null }>(message)
    return newer
  }

  /** Forgets what others keep now: the owner says so when it has a copy elsewhere. What nobody takes is kept until the ring changes again. */
  async #giveAway(item: Item): Promise<void> {
    const { upring, table, clock, log } = this.#parts
    const deadline = clock.now() + GIVE_TIMEOUT_MS
    for (;;) {
      const { stamp } = item
      const owner = upring.lookup(item.hash)?.id
      if (owner === undefined || this.#belongsHere(item)) return
      try {
        await this.#send('give', item, owner)
        // The ring may have changed back meanwhile.
        if (item.stamp !== stamp || this.#belongsHere(item)) continue
        table.remove(item)
        this.counters.moved++
        return
      } catch (error) {
        this.counters.failed++
        if (!isPassing(error) || clock.now() > deadline) {
          log.warn({ key: item.key, owner, error }, 'aedes state not given away')
          return
        }
      }
      await pause(clock)
    }
  }

  /** As owner or as replica. */
  #belongsHere({ hash }: Item): boolean {
    const { upring } = this.#parts
    return upring.allocatedToMe(hash) || upring.next(hash)?.id === upring.whoami()
  }

  /** Those whose write the replica has. */
  #release(item: Item): void {
    const { waiters, copiedTo, copiedStamp } = item
    if (copiedTo === null) return
    item.waiters = waiters.filter(waiter => waiter.stamp > copiedStamp)
    for (const waiter of waiters) if (waiter.stamp <= copiedStamp) waiter.resolve()
  }

  #settle(item: Item, error: Error | null): void {
    const { waiters } = item
    item.waiters = []
    item.unsent = []
    item.copiedTo = null
    for (const waiter of waiters) error === null ? waiter.resolve() : waiter.reject(error)
  }
}

async function inParallel<T>(all: readonly T[], run: (each: T) => Promise<void>): Promise<void> {
  const rest = all.values()
  const worker = async (): Promise<void> => {
    for (const each of rest) await run(each)
  }
  await Promise.all(Array.from({ length: PARALLEL }, worker))
}
