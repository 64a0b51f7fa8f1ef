// From this node's subscriptions to the owners: which nodes must know that we want a filter, and when
// they do. A row is a filter of ours that a peer is to have: an exact filter at the owner of its topic, a
// wildcard filter at every node that owns topics. Each node writes only its own rows.
//
//   at link-up:         rows.all {first, last, filters}  all rows, piece by piece; what is not among them is dropped
//   as things change:   rows {add, remove}               one request a tick
//   every second:       state {count, hash}              compared; after two mismatches the peer asks for all rows again
import { ShoalError } from '../errors.ts'
import type { Link } from '../link/link.ts'
import { hashKey, shardKey } from '../ring/hash.ts'
import type { Ring } from '../ring/ring.ts'
import { isWildcard, validateFilter } from '../topics/filter.ts'
import { digestOf } from '../topics/routes.ts'
import { type Subscriber, Subscription, type SubscriptionOptions } from '../topics/subscription.ts'
import { integer, texts } from './control.ts'
import type { Peer } from './peer.ts'
import type { Router } from './router.ts'

const ROWS_TIMEOUT_MS = 10_000
const RETRY_MS = 100
/** Characters of filters in one request: so that it is far below what a frame and a link's buffer hold. */
const PIECE_CHARACTERS = 128 * 1024
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

  /** A link to `peer` is up, or it has asked: it gets all the rows it is to have. An announcement under way is given up. */
  announce(peer: Peer): void {
    const { link } = peer
    if (link === null) return
    peer.rowsToAdd.clear()
    peer.rowsToRemove.clear()
    peer.rowsChanged = false
    const sequence = ++peer.rowsQueued
    const pieces = cut(this.#rowsFor(peer))
    const isOver = (): boolean => peer.link !== link || peer.announcement !== sequence
    const send = (index: number): void => {
      const isLast = index === pieces.length - 1
      const body = { filters: pieces[index], first: index === 0 ? 1 : 0, last: isLast ? 1 : 0 }
      link.requestCallback('rows.all', body, ROWS_TIMEOUT_MS, error => {
        if (isOver()) return
        if (error !== null) this.#announceLater(peer, link)
        else if (isLast) this.#confirmed(peer, sequence)
        else send(index + 1)
      })
    }
    peer.announcement = sequence
    peer.isAnnounced = false
    send(0)
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
    const body = { add: [...peer.rowsToAdd], remove: [...peer.rowsToRemove] }
    peer.rowsToAdd.clear()
    peer.rowsToRemove.clear()
    // Without a link nothing is lost: all rows are announced when it is up.
    const { link } = peer
    if (link === null) return
    if (cut(body.add).length > 1 || cut(body.remove).length > 1) {
      this.announce(peer)
      return
    }
    const sequence = peer.rowsQueued
    link.requestCallback('rows', body, ROWS_TIMEOUT_MS, error => {
      if (error === null) this.#confirmed(peer, sequence)
      else this.#announceLater(peer, link)
    })
  }

  /** It has all rows up to a batch; unless a whole announcement, which is older, is still under way. */
  #confirmed(peer: Peer, sequence: number): void {
    peer.rowsConfirmed = Math.max(peer.rowsConfirmed, sequence)
    if (sequence === peer.announcement) {
      peer.isAnnounced = true
      this.#router.rebalancing.sayTo(peer)
    }
    if (!peer.isAnnounced) return
    peer.rowsIn = peer.rowsConfirmed
    peer.wakeRowWaiters()
  }

  #announceLater(peer: Peer, link: Link): void {
    this.#router.clock.after(RETRY_MS, () => {
      if (peer.link === link && !link.isClosed) this.announce(peer)
    })
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
    for (const filter of texts(body, 'remove')) {
      routes.remove(peer, filter)
      peer.rowsAnnounced?.delete(filter)
    }
    for (const filter of texts(body, 'add')) {
      this.#rowAdded(peer, filter)
      peer.rowsAnnounced?.add(filter)
    }
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

/** Filters in pieces; at least one, which may be empty. */
function cut(filters: Iterable<string>): string[][] {
  let piece: string[] = []
  const pieces = [piece]
  let characters = 0
  for (const filter of filters) {
    if (characters > PIECE_CHARACTERS) {
      piece = []
      pieces.push(piece)
      characters = 0
    }
    piece.push(filter)
    characters += filter.length + 4
  }
  return pieces
}
