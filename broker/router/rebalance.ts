// From membership to the ring, and what has to happen when the ring changes. Each node, on its own:
//
//   1. tells all: my part for this ring is not in yet
//   2. as a publisher, raises fences at living nodes that lost topics, and sends what a dead node had again
//   3. as an owner, passes on what it must not order any more
//   4. as a subscriber, announces its routes to the new owners
//   5. as an owner that lost topics, waits until all it had ordered is taken, and hands retained messages and sessions over
//   6. tells all: my part for this ring is in
//
// When every member has said 6 for the same ring, the ring is agreed: see view.ts.
import { ShoalError } from '../errors.ts'
import { moves } from '../ring/moves.ts'
import { Ring } from '../ring/ring.ts'
import type { Timer } from '../runtime/clock.ts'
import { integer } from './control.ts'
import type { Peer } from './peer.ts'
import type { Router } from './router.ts'

/** How often nodes compare what they know of each other. */
const STATE_PERIOD_MS = 1000
/** A node that does nothing for less is not declared dead by any preset but `local`. */
const STANDSTILL_MS = 2000
/** Retained messages cleared longer ago than this are no longer remembered as cleared. */
const TOMBSTONE_AGE_MS = 3_600_000

export interface RingMember {
  readonly id: string
  readonly instance: string
  /** On the ring. */
  readonly serving: boolean
  /** A gateway only. */
  readonly client: boolean
}

export class Rebalancing {
  readonly #router: Router
  /** The digest of the ring for which our part is in; -1: none. */
  #in: number
  #whenAgreed: (() => void)[] = []
  #sinceHandover = 0
  #tickedAt: number
  /** The highest stamp that members have told since the ring changed. */
  #heardStamp = 0
  readonly #timer: Timer

  constructor(router: Router) {
    this.#router = router
    this.#in = router.view.ring.digest
    this.#tickedAt = router.clock.now()
    router.control.onFire('view', (peer, body) =>
      this.#heard(peer, integer(body, 'ring'), integer(body, 'stamp'))
    )
    router.control.onFire('state', (peer, body) => this.#compare(peer, body))
    router.control.onRequest('fence', (peer, body, reply) => {
      router.fencing.answer(peer, integer(body, 'depth'), () => reply.send({}))
      return undefined
    })
    this.#timer = router.clock.every(STATE_PERIOD_MS, () => this.#tick())
  }

  /** The members have changed; `members` are all that are not dead, this node included. */
  membersChanged(members: readonly RingMember[]): void {
    const router = this.#router
    const { view } = router
    const living = new Map(members.map(member => [member.id, member]))
    const lost: Peer[] = []
    for (const peer of view.peers.values()) {
      const member = living.get(peer.id)
      if (member === undefined ? peer.wasMember : member.instance !== peer.instance) lost.push(peer)
    }
    for (const peer of lost) this.#forget(peer)
    for (const member of members) {
      if (member.id === router.self.id) continue
      const peer = router.peerOf(member.id, member.instance)
      peer.wasMember = true
      peer.client = member.client
    }
    const serving = members.filter(member => member.serving && !member.client).map(({ id }) => ({ id }))
    const isSame = serving.length === view.ring.size && serving.every(({ id }) => view.ring.ids.includes(id))
    if (!isSame) this.#changeRing(new Ring(serving, router.options.replicaPoints, view.ring))
    else view.touch()
    if (lost.length > 0) this.#afterLoss()
    this.check()
  }

  /** A peer that is no member, and whose link has closed, is gone too. */
  peerLost(peer: Peer): void {
    this.#forget(peer)
    this.#router.view.touch()
    this.#afterLoss()
    this.check()
  }

  /**
   * A peer had taken this node for dead, though it never knew: others may have ordered its topics meanwhile. So it
   * goes through the change of the ring that it has missed, and back, as one.
   */
  wasDropped(peer: Peer): void {
    peer.returned = true
    this.#router.log.warn({ member: peer.id }, 'this node was taken for dead')
    this.#returnToRing()
  }

  #returnToRing(): void {
    const { view, self, options } = this.#router
    if (!view.ring.ids.includes(self.id)) return
    const nodes = view.ring.ids.map(id => ({ id }))
    const others = nodes.filter(({ id }) => id !== self.id)
    const ring = view.ring
    this.#advance(new Ring(others, options.replicaPoints))
    this.#changeRing(new Ring(nodes, options.replicaPoints), ring)
  }

  /**
   * This process has stood still for so long that it may have been taken for dead, and its news are old: until the others
   * have said again that their part is in, it orders nothing and acknowledges nothing.
   */
  #stoodStill(): void {
    const { view, log } = this.#router
    log.warn({ members: view.peers.size + 1 }, 'this process stood still')
    for (const peer of view.peers.values()) {
      peer.returned = true
      peer.saidIn = -1
    }
    this.#returnToRing()
  }

  /** Tells the peer whether our part is in, which is not before it has all our rows. */
  sayTo(peer: Peer): void {
    peer.link?.fire('view', { ring: this.#inFor(peer), stamp: this.#router.hybridClock.last })
  }

  #inFor(peer: Peer): number {
    return this.#in === this.#router.view.ring.digest && peer.isAnnounced ? this.#in : -1
  }

  /** Settles when all members agree on the ring, or after `timeoutMs`. */
  agreement(timeoutMs: number): Promise<void> {
    if (this.isAgreed) return Promise.resolve()
    return new Promise(resolve => {
      const timer = this.#router.clock.after(timeoutMs, resolve)
      this.#whenAgreed.push(() => {
        timer.cancel()
        resolve()
      })
    })
  }

  close(): void {
    this.#timer.cancel()
    this.#wake()
  }

  /** Everyone has said that their part for our ring is in, and so have we. */
  get isAgreed(): boolean {
    const { view } = this.#router
    return this.#in === view.ring.digest && view.agreed
  }

  #changeRing(ring: Ring, before = this.#router.view.ring): void {
    const router = this.#router
    const { view, fencing, publishing, ordering, subscribing } = router
    router.counters.ringChanges++
    const isUnfinished = this.#in !== before.digest
    this.#advance(ring)
    for (const peer of view.peers.values()) this.sayTo(peer)
    fencing.raise(before)
    publishing.reroute()
    ordering.releaseLost()
    ordering.openGates()
    subscribing.ringChanged(before)
    router.log.info({ nodes: ring.size, ring: ring.digest, members: view.peers.size + 1 }, 'ring changed')
    const hasLost = moves(before, ring).some(move => move.before === router.self.id)
    if (hasLost || isUnfinished) router.delivering.barrier(() => void this.#handOver(ring))
    else this.#sayIn(ring)
    router.events.ringChanged()
  }

  #advance(ring: Ring): void {
    const { view, topics } = this.#router
    view.advance(ring)
    this.#router.endEra()
    this.#in = -1
    this.#heardStamp = 0
    for (const topic of topics.values()) view.refresh(topic)
  }

  async #handOver(ring: Ring): Promise<void> {
    await Promise.all([this.#router.scanning.handOver(), this.#router.events.handOver()])
    this.#sayIn(ring)
  }

  #sayIn(ring: Ring): void {
    const { view, subscribing } = this.#router
    if (ring !== view.ring) return
    this.#in = ring.digest
    subscribing.flush()
    for (const peer of view.peers.values()) this.sayTo(peer)
    this.check()
  }

  #heard(peer: Peer, ring: number, stamp: number): void {
    const { view, hybridClock, subscribing, ordering } = this.#router
    hybridClock.merge(stamp)
    this.#heardStamp = Math.max(this.#heardStamp, stamp)
    if (peer.saidIn === ring) return
    peer.saidIn = ring
    view.touch()
    subscribing.purge(peer)
    ordering.openGates()
    this.check()
  }

  /** If all agree, nobody is late any more. */
  check(): void {
    if (!this.isAgreed) return
    const { view, ordering, publishing } = this.#router
    if (!view.settled) {
      this.#renewEpochs()
      view.settle()
      ordering.agreed()
      ordering.openGates()
      publishing.drained()
    }
    this.#wake()
  }

  /** Epochs that began here before this node knew how far the old owner's clock was ahead would look older than its own. */
  #renewEpochs(): void {
    this.#router.endEra()
    for (const topic of this.#router.topics.values()) {
      if (topic.gained && topic.epoch !== 0 && topic.epoch < this.#heardStamp) topic.epoch = 0
    }
  }

  #wake(): void {
    const waiting = this.#whenAgreed
    this.#whenAgreed = []
    for (const run of waiting) run()
  }

  #forget(peer: Peer): void {
    const router = this.#router
    router.view.peers.delete(peer.id)
    peer.gone = true
    peer.origin.users--
    router.routes.removeNode(peer)
    router.publishing.pressing.delete(peer)
    for (const fence of router.view.fences) if (fence.peer === peer) router.view.fences.delete(fence)
    router.log.info({ member: peer.id, instance: peer.instance }, 'peer gone')
    const link = peer.link
    peer.link = null
    link?.destroy(new ShoalError('PEER_GONE', { peer: peer.id }))
    peer.wakeRowWaiters()
    router.delivering.abandon(peer)
    router.events.peerGone(peer)
  }

  #afterLoss(): void {
    const { publishing, ordering } = this.#router
    publishing.reroute()
    ordering.openGates()
  }

  #tick(): void {
    const { clock, view, subscribing, publishing, scanning, hybridClock, retained } = this.#router
    const sinceTickMs = clock.now() - this.#tickedAt
    this.#tickedAt = clock.now()
    if (sinceTickMs > STATE_PERIOD_MS + STANDSTILL_MS && view.peers.size > 0) this.#stoodStill()
    publishing.tick()
    for (const peer of view.peers.values()) {
      if (peer.link === null) continue
      const { count, hash } = subscribing.digestFor(peer)
      const state = { ring: view.ring.digest, in: this.#inFor(peer), count, hash, stamp: hybridClock.last }
      peer.link.fire('state', state)
    }
    this.#sinceHandover++
    if (this.#sinceHandover < 10 || !view.settled) return
    this.#sinceHandover = 0
    retained.prune(hybridClock.before(TOMBSTONE_AGE_MS))
    void scanning.handOver()
    void this.#router.events.handOver()
  }

  #compare(peer: Peer, body: Readonly<Record<string, unknown>>): void {
    const { view, subscribing } = this.#router
    // What `view` has told already, in case it was lost on a link that was full.
    this.#heard(peer, integer(body, 'in'), integer(body, 'stamp'))
    if (integer(body, 'ring') !== view.ring.digest || !view.settled) return
    subscribing.compare(peer, integer(body, 'count'), integer(body, 'hash'))
  }
}
