// From this node's subscriptions to the owners: which nodes must know that we want a filter, and when
// they do. A row is a filter of ours that a peer is to have: an exact filter at the owner of its topic, a
// wildcard filter at every node that owns topics. Each node writes only its own rows.
//
//   at link-up:         rows {first, last, filters}  all rows, in pieces; what is not among them is dropped
//   as things change:   rows {add, remove}           one request a tick
//   every second:       state {count, hash}          compared; after two mismatches the peer asks for all rows again
import { ShoalError } from '../errors.ts'
import { hashKey, shardKey } from '../ring/hash.ts'
import type { Ring } from '../ring/ring.ts'
import { isWildcard, validateFilter } from '../topics/filter.ts'
import { digestOf } from '../topics/routes.ts'
import { type Subscriber, Subscription, type SubscriptionOptions } from '../topics/subscription.ts'
import { integer, texts } from './control.ts'
import type { Peer } from './peer.ts'
import type { Router } from './router.ts'

const ROWS_TIMEOUT_MS = 10_000
/** Filters in one request. */
const ROWS_PIECE = 5000
/** How long a subscriber waits for the owners. */
const SUBSCRIBE_TIMEOUT_MS = 30_000

export class Subscribing {
  readonly #router: Router
  #flushScheduled = false

  constructor(router: Router) {
    this.#router = router
    router.control.onRequest('rows', (peer, body) => this.#rowsChanged(peer, body))
    router.control.onRequest('rows.all', (peer, body) => this.#rowsAnnounced(peer, body))
    router.control.onFire('rows.again', peer => {
      router.counters.routeRepairs++
      this.announce(peer)
    })
  }

  async subscribe(
    subscriber: Subscriber,
    filter: string,
    options: SubscriptionOptions
  ): Promise<{ subscription: Subscription; existed: boolean }> {
    validateFilter(filter)
    const { subscriptions, scanning } = this.#router
    const subscription = new Subscription(subscriber, filter, options)
    const { replaced, first } = subscriptions.add(subscription)
    scanning.watch(subscription)
    if (first) {
      for (const peer of this.#targets(filter)) this.#add(peer, filter)
    }
    await this.#everywhere(filter)
    return { subscription, existed: replaced !== null }
  }

  unsubscribe(subscriber: Subscriber, filter: string): boolean {
    const removed = this.#router.subscriptions.remove(subscriber, filter)
    if (removed === null) return false
    if (removed.last) this.#withdraw(filter)
    return true
  }

  unsubscribeAll(subscriber: Subscriber): void {
    for (const filter of this.#router.subscriptions.removeAll(subscriber)) this.#withdraw(filter)
  }

  /** A link to `peer` is up, or it has asked: it gets all the rows it is to have. */
  announce(peer: Peer): void {
    if (peer.link === null) return
    peer.rowsToAdd.clear()
    peer.rowsToRemove.clear()
    const rows = [...this.#rowsFor(peer)]
    const sequence = ++peer.rowsQueued
    for (let at = 0; at === 0 || at < rows.length; at += ROWS_PIECE) {
      const last = at + ROWS_PIECE >= rows.length
      const body = { filters: rows.slice(at, at + ROWS_PIECE), first: at === 0 ? 1 : 0, last: last ? 1 : 0 }
      peer.link.requestCallback('rows.all', body, ROWS_TIMEOUT_MS, error => {
        if (last) this.#answered(peer, sequence, error)
      })
    }
  }

  /** The ring has changed: exact filters go to their new owners. The old ones forget them by themselves (`purge`). */
  ringChanged(before: Ring): void {
    const { view, subscriptions, options } = this.#router
    for (const filter of subscriptions.filters()) {
      if (isWildcard(filter)) continue
      const hash = hashKey(shardKey(filter, options.shardLevels))
      const owner = view.ownerOf(hash)
      if (owner === null || owner === view.self) continue
      const index = before.ownerIndex(hash)
      if (index === -1 || before.ids[index] !== owner.id) this.#add(owner, filter)
    }
    this.flush()
    for (const peer of view.peers.values()) this.purge(peer)
  }

  /** Drops rows of topics that are another's now, once the peer sees the ring as we do. */
  purge(peer: Peer): void {
    const { view, routes, options } = this.#router
    if (peer.saidIn !== view.ring.digest) return
    for (const filter of [...routes.filters(peer)]) {
      if (isWildcard(filter)) continue
      if (view.ownerOf(hashKey(shardKey(filter, options.shardLevels))) !== view.self)
        routes.remove(peer, filter)
    }
  }

  /** Sends what has changed, at the end of the tick or now. */
  flush(): void {
    this.#flushScheduled = false
    for (const peer of this.#router.view.peers.values()) this.#flushPeer(peer)
  }

  /** The rows that `peer` is to have, in brief; compared with what it has (see `routes.digest`). */
  digestFor(peer: Peer): { count: number; hash: number } {
    const rows = [...this.#rowsFor(peer)]
    return { count: rows.length, hash: digestOf(rows) }
  }

  /** Whether what `peer` says its rows are is what we have of it; asks for them again after two mismatches. */
  compare(peer: Peer, count: number, hash: number): void {
    const { routes } = this.#router
    if (routes.count(peer) === count && routes.digest(peer) === hash) {
      peer.rowsMismatches = 0
    } else if (++peer.rowsMismatches === 2) {
      peer.rowsMismatches = 0
      peer.link?.fire('rows.again', {})
    }
  }

  *#rowsFor(peer: Peer): Generator<string> {
    if (peer.client) return
    const { view, subscriptions, options } = this.#router
    for (const filter of subscriptions.filters()) {
      if (isWildcard(filter) || view.ownerOf(hashKey(shardKey(filter, options.shardLevels))) === peer)
        yield filter
    }
  }

  #targets(filter: string): Peer[] {
    const { view, options } = this.#router
    if (isWildcard(filter)) return [...view.peers.values()].filter(peer => !peer.client)
    const owner = view.ownerOf(hashKey(shardKey(filter, options.shardLevels)))
    return owner === null || owner === view.self ? [] : [owner]
  }

  #withdraw(filter: string): void {
    for (const peer of this.#targets(filter)) {
      peer.rowsToAdd.delete(filter)
      peer.rowsToRemove.add(filter)
      this.#changed(peer)
    }
  }

  #add(peer: Peer, filter: string): void {
    peer.rowsToRemove.delete(filter)
    peer.rowsToAdd.add(filter)
    this.#changed(peer)
  }

  #changed(peer: Peer): void {
    if (!peer.rowsChanged) {
      peer.rowsChanged = true
      peer.rowsQueued++
    }
    if (this.#flushScheduled) return
    this.#flushScheduled = true
    this.#router.clock.defer(() => this.flush())
  }

  #flushPeer(peer: Peer): void {
    if (!peer.rowsChanged) return
    peer.rowsChanged = false
    // Without a link nothing is lost: all rows are announced when it is up.
    if (peer.link !== null) {
      const sequence = peer.rowsQueued
      const body = { add: [...peer.rowsToAdd], remove: [...peer.rowsToRemove] }
      peer.link.requestCallback('rows', body, ROWS_TIMEOUT_MS, error => this.#answered(peer, sequence, error))
    }
    peer.rowsToAdd.clear()
    peer.rowsToRemove.clear()
  }

  #answered(peer: Peer, sequence: number, error: ShoalError | null): void {
    if (error === null) {
      peer.rowsIn = Math.max(peer.rowsIn, sequence)
      peer.wakeRowWaiters()
    } else if (peer.link !== null) this.announce(peer)
  }

  /** Settles when every node that must have the filter has it, whatever becomes of the ring meanwhile. */
  async #everywhere(filter: string): Promise<void> {
    const router = this.#router
    const deadline = router.clock.now() + SUBSCRIBE_TIMEOUT_MS
    for (;;) {
      const digest = router.view.ring.digest
      for (const peer of this.#targets(filter)) {
        if (!(await peer.rowsSettled(router.clock, deadline)))
          throw new ShoalError('TIMEOUT', { filter, owner: peer.id })
      }
      if (router.closed) throw new ShoalError('CLOSED', { filter })
      if (router.view.ring.digest === digest && router.view.ring.size > 0) return
      if (router.clock.now() > deadline) throw new ShoalError('TIMEOUT', { filter })
      if (router.view.ring.size === 0) await router.pause(50)
    }
  }

  #rowsChanged(peer: Peer, body: Readonly<Record<string, unknown>>): object {
    const { routes } = this.#router
    for (const filter of texts(body, 'remove')) routes.remove(peer, filter)
    for (const filter of texts(body, 'add')) this.#rowAdded(peer, filter)
    return {}
  }

  #rowsAnnounced(peer: Peer, body: Readonly<Record<string, unknown>>): object {
    const { routes } = this.#router
    if (integer(body, 'first') === 1) peer.rowsAnnounced = new Set()
    peer.rowsAnnounced ??= new Set()
    const announced = peer.rowsAnnounced
    for (const filter of texts(body, 'filters')) {
      announced.add(filter)
      this.#rowAdded(peer, filter)
    }
    if (integer(body, 'last') === 1) {
      for (const filter of [...routes.filters(peer)]) if (!announced.has(filter)) routes.remove(peer, filter)
      peer.rowsAnnounced = null
    }
    return {}
  }

  #rowAdded(peer: Peer, filter: string): void {
    const { routes, ordering } = this.#router
    validateFilter(filter)
    if (routes.add(peer, filter)) ordering.replay(filter, peer)
  }
}
