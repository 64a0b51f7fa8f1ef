// How this node sees the ring now, and the rings it has seen since the last moment at which every
// member had said "all that I have for you under this ring is sent". Until that moment comes again a
// topic that has changed hands is treated with care:
//
//   gained   an earlier ring gave it to another node: subscribers may still be announcing themselves here,
//            so messages are kept for them, and acknowledgements are held back
//   gated    that other node lives and has not yet said so: it may still be ordering, so we do not. The same for a
//            node that was out of sight and came back
//   held     we publish to it, and its old owner has not yet confirmed what we sent it before
import type { Ring } from '../ring/ring.ts'
import type { Topic } from '../topics/topic.ts'
import type { Peer } from './peer.ts'

/** More rings than this since the last agreement, and every topic is taken for gained from everyone. */
const RINGS_MAX = 8

/** Publishes on topics that `peer` owned under `ring` wait until it has confirmed what it got. */
export interface Fence {
  readonly peer: Peer
  readonly ring: Ring
}

export class View {
  readonly self: Peer
  /** Increments whenever a topic's place in the cluster may have changed. */
  version = 0
  ring: Ring
  /** Members that are not gone, by id; self is not among them. */
  readonly peers = new Map<string, Peer>()
  readonly fences = new Set<Fence>()
  /** Earlier rings since the last agreement, oldest first. Empty: all agree. */
  #earlier: Ring[] = []
  #owners: (Peer | null)[] = []

  constructor(self: Peer, ring: Ring) {
    this.self = self
    this.ring = ring
    this.touch()
  }

  get settled(): boolean {
    return this.#earlier.length === 0
  }

  advance(ring: Ring): void {
    this.#earlier.push(this.ring)
    if (this.#earlier.length > RINGS_MAX) this.#earlier.shift()
    this.ring = ring
    this.touch()
  }

  /** Every member has said that its part for this ring is in. */
  settle(): void {
    this.#earlier = []
    for (const peer of this.peers.values()) peer.returned = false
    this.touch()
  }

  /** Call when members, fences or what members have said has changed. */
  touch(): void {
    this.version++
    this.#owners = this.ring.ids.map(id => this.peer(id))
  }

  peer(id: string): Peer | null {
    return id === this.self.id ? this.self : (this.peers.get(id) ?? null)
  }

  /** All live members have said that their part for the present ring is in. */
  get agreed(): boolean {
    for (const peer of this.peers.values()) if (peer.saidIn !== this.ring.digest) return false
    return true
  }

  ownerOf(hash: number): Peer | null {
    const index = this.ring.ownerIndex(hash)
    return index === -1 ? null : this.#owners[index]!
  }

  /** Was owned by another node under a ring since the last agreement. */
  isGained(hash: number): boolean {
    for (const ring of this.#earlier) {
      const index = ring.ownerIndex(hash)
      if (index !== -1 && ring.ids[index] !== this.self.id) return true
    }
    return false
  }

  /** This node owned it under a ring since the last agreement. */
  wasOwned(hash: number): boolean {
    for (const ring of this.#earlier) {
      const index = ring.ownerIndex(hash)
      if (index !== -1 && ring.ids[index] === this.self.id) return true
    }
    return false
  }

  #isGated(hash: number): boolean {
    for (const peer of this.peers.values()) if (peer.returned && peer.saidIn !== this.ring.digest) return true
    for (const ring of this.#earlier) {
      const index = ring.ownerIndex(hash)
      if (index === -1) continue
      const peer = this.peers.get(ring.ids[index]!)
      if (peer !== undefined && peer.saidIn !== this.ring.digest) return true
    }
    return false
  }

  #isHeld(hash: number, owner: Peer | null): boolean {
    for (const fence of this.fences) {
      const index = fence.ring.ownerIndex(hash)
      if (index !== -1 && fence.ring.ids[index] === fence.peer.id && owner !== fence.peer) return true
    }
    return false
  }

  /** Brings a topic's cached fields up to the present version. */
  refresh(topic: Topic<Peer>): void {
    topic.viewVersion = this.version
    const owner = this.ownerOf(topic.hash)
    topic.owner = owner
    const owned = owner === this.self
    topic.gained = owned && !this.settled && this.isGained(topic.hash)
    topic.gated = topic.gained && this.#isGated(topic.hash)
    topic.held = this.fences.size > 0 && this.#isHeld(topic.hash, owner)
    if (!owned) topic.epoch = 0
  }
}
