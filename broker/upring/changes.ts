// What a change of the cluster means to programs: peers that came and went, parts of the ring that came to this node
// and left it, and keys that are tracked. Told in this order: who is gone, tracked keys, parts of the ring, who is new.
//
// What a node did not see is told as well. One that was taken for dead while it stood still, and a peer that died and was
// back before anyone looked, have left the ring and come again, whatever the ring looks like now: others may have
// owned their keys meanwhile, or their memory is gone.
import { moves } from '../ring/moves.ts'
import type { Ring } from '../ring/ring.ts'
import { type Key, Trackers } from '../ring/tracker.ts'
import type { Member } from '../swim/member.ts'
import type { Ground } from './ground.ts'
import { decodePeerMeta, Peer } from './peer.ts'

/** A part of the ring that this node has lost to `to`: hashes after `start`, up to and including `end`. */
export interface MoveEvent {
  readonly start: number
  readonly end: number
  readonly to: Peer | null
}

/** A part of the ring that this node has won from `from`. */
export interface StealEvent {
  readonly start: number
  readonly end: number
  readonly from: Peer | null
}

export interface ChangesEvents {
  peerUp(peer: Peer): void
  peerDown(peer: Peer): void
  move(event: MoveEvent): void
  steal(event: StealEvent): void
}

export class Changes {
  readonly trackers: Trackers<Peer>
  /** As it was last told. */
  ring: Ring
  readonly #ground: Ground
  readonly #events: ChangesEvents
  /** Members on the ring besides this node, with the instances they had when they were last told. */
  #serving = new Map<string, Member>()
  readonly #peers = new Map<string, Peer>()

  constructor(ground: Ground, hash: (key: Key) => number, events: ChangesEvents) {
    this.#ground = ground
    this.#events = events
    this.ring = ground.ring
    this.trackers = new Trackers<Peer>({
      self: ground.id,
      peer: id => this.peer(id),
      hash,
      ring: this.ring
    })
  }

  /** Members on the ring besides this node, ordered by id. */
  peers(): Peer[] {
    return [...this.#serving.keys()].sort().map(id => this.peer(id))
  }

  /** One object for a node as long as what it says of itself does not change. Known by no more than its id if it is no member. */
  peer(id: string): Peer {
    const known = this.#peers.get(id)
    if (known !== undefined) return known
    const member = this.#ground.members().find(each => each.id === id)
    const peer = new Peer(id, metaOf(id, member), () => this.ring)
    if (member !== undefined) this.#peers.set(id, peer)
    return peer
  }

  /** The ring, or a member, may have changed. */
  update(): void {
    const ground = this.#ground
    const before = this.#serving
    const now = new Map<string, Member>()
    for (const member of ground.members()) {
      if (member.id !== ground.id && ground.isServing(member)) now.set(member.id, member)
    }
    this.#serving = now
    const gone = [...before.values()].filter(({ id, instance }) => now.get(id)?.instance !== instance)
    const came = [...now.values()].filter(({ id, instance }) => before.get(id)?.instance !== instance)
    const restarted = new Set(gone.filter(({ id }) => now.has(id)).map(({ id }) => id))
    for (const { id } of gone) this.#events.peerDown(this.peer(id))
    this.#renew()
    if (restarted.size > 0) this.#tell(this.#without(restarted))
    this.#tell(ground.ring)
    for (const { id } of came) this.#events.peerUp(this.peer(id))
  }

  /** This node was taken for dead by another. */
  wasDropped(): void {
    if (!this.ring.ids.includes(this.#ground.id)) return
    this.#tell(this.#without(new Set([this.#ground.id])))
    this.#tell(this.#ground.ring)
  }

  /** Forgets peers that are gone, and what those that live said of themselves before. */
  #renew(): void {
    const members = new Map(this.#ground.members().map(member => [member.id, member]))
    for (const [id, peer] of this.#peers) {
      const member = members.get(id)
      if (member === undefined || JSON.stringify(metaOf(id, member)) !== JSON.stringify(peer.meta))
        this.#peers.delete(id)
    }
  }

  #without(ids: ReadonlySet<string>): Ring {
    return this.#ground.ringOf(this.#ground.ring.ids.filter(id => !ids.has(id)).map(id => ({ id })))
  }

  #tell(ring: Ring): void {
    const before = this.ring
    if (ring.digest === before.digest) return
    this.ring = ring
    this.trackers.changed(ring)
    // The first ring there is was stolen from nobody.
    if (before.size === 0) return
    const self = this.#ground.id
    for (const { from, to: end, before: old, after } of moves(before, ring)) {
      const start = from - 1
      if (old === self) this.#events.move({ start, end, to: after === null ? null : this.peer(after) })
      else if (after === self) this.#events.steal({ start, end, from: old === null ? null : this.peer(old) })
    }
  }
}

function metaOf(id: string, member: Member | undefined): ReturnType<typeof decodePeerMeta> {
  const colon = id.lastIndexOf(':')
  const address = { host: id.slice(0, colon), port: Number(id.slice(colon + 1)) }
  return member === undefined ? decodePeerMeta(address, {}) : decodePeerMeta(member, member.meta)
}
