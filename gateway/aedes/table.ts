// All that this node keeps, as owner or as replica: an item a key. Of two states of an item the one with the higher stamp is
// right, wherever it comes from; stamps are of a hybrid clock, so after a partition the last writer wins. An
// empty item is kept for a while, so that no older copy brings back what was removed.
import { ShoalError } from '../../broker/errors.ts'
import type { HybridClock } from '../../broker/router/hybrid-clock.ts'
import { type RetainedOperation, RetainedPacket } from './retained-packet.ts'
import { type EncodedSession, Session, type SessionLimits, type SessionOperation } from './session.ts'
import { SubscriptionIndex } from './subscription-index.ts'

export type Operation = SessionOperation | RetainedOperation
export type EncodedState = EncodedSession | Uint8Array | null

/** Whoever wrote an item and waits until its replica has it. */
export interface Waiter {
  stamp: number
  resolve(): void
  reject(error: Error): void
}

export class Item {
  readonly key: string
  /** Its place on the ring. */
  readonly hash: number
  state: Session | RetainedPacket
  stamp = 0
  /** When it became empty, in ms of the clock; null while it is not. */
  emptySinceMs: number | null = null
  /** Of the owner: the node that has the state of `copiedStamp`, and the operations that came after. */
  copiedTo: string | null = null
  copiedStamp = 0
  unsent: Operation[] = []
  waiters: Waiter[] = []
  isCopying = false

  constructor(key: string, hash: number, state: Session | RetainedPacket) {
    this.key = key
    this.hash = hash
    this.state = state
  }
}

export interface TableLimits extends SessionLimits {
  /** Sessions and retained packets that a node keeps, copies for others included; what makes one more fails with LIMIT_EXCEEDED. */
  itemsMax: number
}

export interface TableParts {
  limits: TableLimits
  stamps: HybridClock
  hash(key: string): number
  nowMs(): number
}

const SESSION = 'session/'
const RETAINED = 'retained/'
/** How long an empty item is kept. */
const EMPTY_KEPT_MS = 60_000

export function sessionKey(clientId: string): string {
  return SESSION + clientId
}

export function retainedKey(topic: string): string {
  return RETAINED + topic
}

export class Table {
  readonly items = new Map<string, Item>()
  readonly index = new SubscriptionIndex()
  readonly #parts: TableParts

  constructor(parts: TableParts) {
    this.#parts = parts
  }

  /** Throws LIMIT_EXCEEDED, and BAD_REQUEST for a key of no known kind. */
  make(key: string): Item {
    const known = this.items.get(key)
    if (known !== undefined) return known
    const { itemsMax } = this.#parts.limits
    if (this.items.size >= itemsMax)
      throw new ShoalError('LIMIT_EXCEEDED', { limit: 'itemsMax', max: itemsMax })
    const item = new Item(key, this.#parts.hash(key), this.#emptyState(key))
    this.items.set(key, item)
    return item
  }

  /** Takes a state that came from elsewhere; false if what is here is as new. Throws LIMIT_EXCEEDED. */
  adopt(key: string, stamp: number, state: EncodedState): boolean {
    this.#parts.stamps.merge(stamp)
    const item = this.make(key)
    if (item.stamp >= stamp) return false
    item.state.retire()
    item.state = this.#emptyState(key)
    item.state.decode(state as EncodedSession & Uint8Array)
    item.copiedTo = null
    item.unsent = []
    this.stamped(item, stamp)
    return true
  }

  /** An item's state is now that of `stamp`. */
  stamped(item: Item, stamp: number): void {
    item.stamp = stamp
    item.emptySinceMs = item.state.isEmpty ? this.#parts.nowMs() : null
  }

  remove(item: Item): void {
    if (this.items.get(item.key) !== item) return
    this.items.delete(item.key)
    item.state.retire()
  }

  /** Forgets what has been empty for long enough. */
  prune(): void {
    const before = this.#parts.nowMs() - EMPTY_KEPT_MS
    for (const item of this.items.values())
      if (item.emptySinceMs !== null && item.emptySinceMs < before && !item.isCopying) this.remove(item)
  }

  *sessions(): Generator<[Item, Session]> {
    for (const item of this.items.values()) if (item.state instanceof Session) yield [item, item.state]
  }

  #emptyState(key: string): Session | RetainedPacket {
    if (key.startsWith(SESSION)) return new Session(key.slice(SESSION.length), this.index, this.#parts.limits)
    if (key.startsWith(RETAINED)) return new RetainedPacket(key.slice(RETAINED.length))
    throw new ShoalError('BAD_REQUEST', { key })
  }
}
