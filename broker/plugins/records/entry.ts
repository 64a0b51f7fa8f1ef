// One key as a node holds it, as its owner or as a copy, and its versions. The later stamp wins, wherever it comes from; the
// revision counts the changes of the key, so that a reader knows how many it missed.
import type { Tracker } from '../../ring/tracker.ts'
import type { Peer } from '../../upring/peer.ts'

export interface Version {
  /** The first write is 1; each further one, and each deletion, one more. Never goes back while a node that has the key lives. */
  readonly revision: number
  /** Of a hybrid clock: the later write wins, also after a partition. */
  readonly stamp: number
  /** The node that wrote it, which decides between equal stamps. */
  readonly by: string
}

/** A key as it travels. Without a value it was deleted. Revision 0: there never was one. */
export interface Snapshot extends Version {
  readonly key: string
  readonly value: Uint8Array | null
}

/** What there is of a key that was never written. */
export function absent(key: string): Snapshot {
  return { key, revision: 0, stamp: 0, by: '', value: null }
}

/** Above 0: `a` is the later write; 0: they are the same one. */
export function compare(a: Omit<Version, 'revision'>, b: Omit<Version, 'revision'>): number {
  if (a.stamp !== b.stamp) return a.stamp - b.stamp
  return a.by === b.by ? 0 : a.by > b.by ? 1 : -1
}

/** Waits for a revision to be at the replica. */
export interface Waiter {
  readonly snapshot: Snapshot
  settle(error: Error | null): void
}

export class Entry {
  readonly key: string
  readonly hash: number
  /** The newest write that this node has. An object of its own for each: it may be on its way somewhere. */
  snapshot: Snapshot
  /** When that came, in ms of the clock. */
  changedAt = 0
  /** As long as this node owns the key and has all that was written to it. */
  tracker: Tracker<Peer> | null = null
  /** The last write that readers may see: the replica has it too. Of a key that is owned here. */
  visible: Snapshot
  /** The revision that the replica has, and which node that is; null: there was no other node. */
  copied = 0
  copiedTo: string | null = null
  isCopying = false
  waiters: Waiter[] = []
  /** Of a copy: the digest of the ring whose owner is known to have it. */
  confirmed = -1

  constructor(key: string, hash: number) {
    this.key = key
    this.hash = hash
    this.snapshot = absent(key)
    this.visible = this.snapshot
  }

  /** Takes a write of another node. True if it was later than what was here. */
  take(other: Snapshot): boolean {
    const order = compare(other, this.snapshot)
    // Where two histories meet, what follows is a revision that neither has seen.
    if (order > 0) {
      const revision = Math.max(other.revision, this.snapshot.revision + 1)
      this.snapshot = revision === other.revision ? other : { ...other, revision }
      return true
    }
    const least = order === 0 ? other.revision : other.revision + 1
    if (other.revision >= this.snapshot.revision && least > this.snapshot.revision)
      this.snapshot = { ...this.snapshot, revision: least }
    return false
  }
}
