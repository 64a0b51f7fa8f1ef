// What a change of the ring means for single keys: who keeps data under a key learns where it has to go, and where
// its copy has to go. A key that this node owns is tracked until it moves; a key of which it holds a copy is
// awaited until it comes.
// Source: upring, whose `track` and `replica` these are.
import { EventEmitter } from 'node:events'
import { ShoalError } from '../errors.ts'
import type { Ring } from './ring.ts'

/** A key as users name it: text, bytes, or its hash. */
export type Key = string | Uint8Array | number

export interface TrackerEvents<P> {
  /** The key is no longer this node's; null: it has no owner that is known. The tracker has ended. Told once. */
  move: [newPeer: P | null]
  /** The node that keeps the copy has changed; `oldPeer` is null if there was none. Also told, a tick later, of the first one. */
  replica: [newPeer: P, oldPeer: P | null]
}

/** A key that this node owns. Listen to its events; they are told in the order in which the ring changed. */
export class Tracker<P> extends EventEmitter<TrackerEvents<P>> {
  readonly key: Key
  readonly hash: number
  readonly #forget: (tracker: Tracker<P>) => void

  constructor(key: Key, hash: number, forget: (tracker: Tracker<P>) => void) {
    super()
    this.key = key
    this.hash = hash
    this.#forget = forget
  }

  /** Nothing is told any more. Twice is as once. */
  end(): void {
    this.#forget(this)
  }
}

export interface TrackersOptions<P> {
  /** Id of this node. */
  self: string
  /** What users know a node by. */
  peer(id: string): P
  hash(key: Key): number
  ring: Ring
}

/** Keys tracked and awaited together; one more is LIMIT_EXCEEDED. */
const KEYS_MAX = 1_000_000

interface Awaited {
  readonly hash: number
  readonly owned: () => void
}

/** All keys that this node tracks and awaits. A change of the ring costs each of them well under a microsecond or two. */
export class Trackers<P> {
  readonly #options: TrackersOptions<P>
  /** Each with the id of the node of its copy; null: there is none, or nobody asked. */
  readonly #tracked = new Map<Tracker<P>, { replica: string | null; wantsReplica: boolean }>()
  readonly #awaited = new Set<Awaited>()
  #ring: Ring

  constructor(options: TrackersOptions<P>) {
    this.#options = options
    this.#ring = options.ring
  }

  /** How many keys are tracked or awaited. */
  get size(): number {
    return this.#tracked.size + this.#awaited.size
  }

  /** Throws OWNER_MOVED when this node does not own the key, LIMIT_EXCEEDED, and BAD_REQUEST for what is no key. */
  track(key: Key, { replica = false }: { replica?: boolean } = {}): Tracker<P> {
    const hash = this.#options.hash(key)
    if (!this.#owns(hash)) throw new ShoalError('OWNER_MOVED', { key })
    this.#makeRoom()
    const tracker = new Tracker<P>(key, hash, ended => this.#tracked.delete(ended))
    const first = replica ? this.#replicaOf(hash) : null
    const state = { replica: first, wantsReplica: replica }
    this.#tracked.set(tracker, state)
    if (first !== null) {
      process.nextTick(() => {
        if (this.#tracked.has(tracker) && state.replica === first) this.#tell(tracker, first, null)
      })
    }
    return tracker
  }

  /** Calls `owned` once, when this node becomes the key's owner. Throws KEY_OWNED when it is, and as `track`. */
  replica(key: Key, owned: () => void): void {
    const hash = this.#options.hash(key)
    if (this.#owns(hash)) throw new ShoalError('KEY_OWNED', { key })
    this.#makeRoom()
    this.#awaited.add({ hash, owned })
  }

  /** The ring has changed. Moves are told before copies, and these before what this node owns now. */
  changed(ring: Ring): void {
    this.#ring = ring
    const { peer } = this.#options
    for (const tracker of [...this.#tracked.keys()]) {
      if (this.#owns(tracker.hash) || !this.#tracked.delete(tracker)) continue
      const owner = ring.ids[ring.ownerIndex(tracker.hash)]
      tracker.emit('move', owner === undefined ? null : peer(owner))
    }
    for (const [tracker, state] of this.#tracked) {
      if (!state.wantsReplica) continue
      const before = state.replica
      const now = this.#replicaOf(tracker.hash)
      state.replica = now
      if (now !== null && now !== before) this.#tell(tracker, now, before)
    }
    for (const awaited of this.#awaited) {
      if (this.#owns(awaited.hash) && this.#awaited.delete(awaited)) awaited.owned()
    }
  }

  /** This node owns nothing any more, and nobody knows who does: all that is tracked moves to null. */
  clear(): void {
    this.#awaited.clear()
    for (const tracker of [...this.#tracked.keys()]) {
      if (this.#tracked.delete(tracker)) tracker.emit('move', null)
    }
  }

  #tell(tracker: Tracker<P>, now: string, before: string | null): void {
    const { peer } = this.#options
    tracker.emit('replica', peer(now), before === null ? null : peer(before))
  }

  #owns(hash: number): boolean {
    return this.#ring.ids[this.#ring.ownerIndex(hash)] === this.#options.self
  }

  #replicaOf(hash: number): string | null {
    return this.#ring.replicasOf(hash, 1)[0] ?? null
  }

  #makeRoom(): void {
    if (this.size >= KEYS_MAX)
      throw new ShoalError('LIMIT_EXCEEDED', { limit: 'tracked keys', max: KEYS_MAX })
  }
}
