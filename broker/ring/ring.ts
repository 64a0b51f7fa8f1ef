// Which node owns a key. Each node stands at many points of a circle of 2^32 places, and owns what is nearer to
// one of them than to anyone else's; so a node that joins or leaves moves only its own arcs. Nearest on
// either side, not next along the circle: an arc is then the mean of two gaps instead of one gap, and shares
// scatter by 0.7 / √points instead of 1 / √points, as with twice the points, at no cost.
// Source: Karger et al., Consistent Hashing and Random Trees (STOC 1997), section 4; swim-hashring.
//
//         p0          p1                  p2          points   where nodes stand, in the circle's order
//   ──────●─────┼─────●─────────┼─────────●───┼───    ends     last place of each arc: half-way to the next point
//               e0              e1            e2      owners   index in `ids`
//
//   owner of h = owners[first i with ends[i] >= h]; beyond the last end it is owners[0]
import assert from 'node:assert/strict'
import { hashKey } from './hash.ts'

export interface RingNode {
  /** `host:port` of the node's cluster address. */
  id: string
  /** How many points it stands at, in proportion to the share it takes: 1..`pointsMax`. */
  points?: number | undefined
}

/** The most nodes of a ring: what fits an owner's 16 bits. */
export const nodesMax = 0xffff
/** The most points of one node. */
export const pointsMax = 10_000

const places = 2 ** 32
const indices = 2 ** 16

/** A ring never changes; a change of membership makes another one. Equal nodes and points make equal rings. */
export class Ring {
  /** Ascending by code units. */
  readonly ids: readonly string[]
  /** An unsigned 32-bit number of the ids and their points: equal on all nodes whose views agree. */
  readonly digest: number
  /** Where the nodes stand, along the circle from the point whose arc is the first to end. */
  readonly points: Uint32Array
  /** For each point, where its arc ends, ascending. An arc that ends where the one before it does is empty. */
  readonly ends: Uint32Array
  /** For each point, the index of its node in `ids`. */
  readonly owners: Uint16Array
  /** For each of `ids`, how many points it has. */
  readonly #counts: readonly number[]
  /** 1 if the arrays begin with the last point of the circle, whose arc passes its end. */
  readonly #shift: number

  /**
   * `nodes` in any order, with distinct ids. One without `points` has `replicaPoints`. A `previous` ring changes nothing
   * but the time it takes: the points of the nodes that were on it are taken from there.
   */
  constructor(nodes: readonly RingNode[], replicaPoints = 100, previous: Ring | null = null) {
    assert(nodes.length <= nodesMax, 'too many nodes for a ring')
    const sorted = [...nodes].sort((a, b) => (a.id < b.id ? -1 : 1))
    this.ids = sorted.map(node => node.id)
    this.#counts = sorted.map(node => node.points ?? replicaPoints)
    let description = ''
    for (const [index, id] of this.ids.entries()) {
      const count = this.#counts[index]!
      assert(id !== this.ids[index - 1], `node ${id} is twice on the ring`)
      assert(Number.isInteger(count) && count >= 1 && count <= pointsMax, `points of ${id}: ${count}`)
      description += `${id} ${count}\n`
    }
    this.digest = hashKey(description)

    const packed = this.#pack(previous)
    const length = packed.length
    this.points = new Uint32Array(length)
    this.ends = new Uint32Array(length)
    this.owners = new Uint16Array(length)
    const seam = Math.floor((placeOf(packed[0] ?? 0) + placeOf(packed[length - 1] ?? 0) + places) / 2)
    this.#shift = seam < places ? 0 : 1
    for (let i = 0; i < length; i++) {
      const at = i + this.#shift === length ? 0 : i + this.#shift
      const point = placeOf(packed[i]!)
      this.points[at] = point
      this.owners[at] = packed[i]! % indices
      this.ends[at] = i === length - 1 ? seam % places : Math.floor((point + placeOf(packed[i + 1]!)) / 2)
    }
  }

  get size(): number {
    return this.ids.length
  }

  /** Index in `ids` of the node that owns a hash (0..2^32 - 1); -1 when the ring is empty. Allocates nothing. */
  ownerIndex(hash: number): number {
    const ends = this.ends
    if (ends.length === 0) return -1
    return this.owners[arcOf(ends, hash)]!
  }

  /** Id of the node that owns a key; null when the ring is empty. */
  owner(key: string): string | null {
    return this.ids[this.ownerIndex(hashKey(key))] ?? null
  }

  /**
   * The next `count` distinct nodes after the owner, nearest to the key first; fewer if there are fewer. When the owner
   * leaves the ring, the first of them becomes the owner.
   */
  replicas(key: string, count: number): string[] {
    return this.replicasOf(hashKey(key), count)
  }

  /** `replicas` of a hash (0..2^32 - 1). */
  replicasOf(hash: number, count: number): string[] {
    const { points, owners, ids } = this
    const length = points.length
    if (length === 0) return []
    const start = arcOf(this.ends, hash)
    const seen = new Set([owners[start]!])
    const found: string[] = []
    // Walks away from the key on both sides, always to the nearer point; at the same distance, to the one before it.
    let before = start === 0 ? length - 1 : start - 1
    let after = start === length - 1 ? 0 : start + 1
    for (let left = length - 1; left > 0 && found.length < count; left--) {
      const isBefore = distance(points[before]!, hash) <= distance(hash, points[after]!)
      const owner = owners[isBefore ? before : after]!
      if (isBefore) before = before === 0 ? length - 1 : before - 1
      else after = after === length - 1 ? 0 : after + 1
      if (seen.has(owner)) continue
      seen.add(owner)
      found.push(ids[owner]!)
    }
    return found
  }

  /** The part of all places that a node owns, 0..1; 0 for a node that is not on the ring. Walks every arc. */
  share(id: string): number {
    const { ends, owners } = this
    const index = this.ids.indexOf(id)
    let owned = 0
    for (let i = 0; i < ends.length; i++) {
      if (owners[i] !== index) continue
      owned += i === 0 ? ends[0]! + places - ends[ends.length - 1]! : ends[i]! - ends[i - 1]!
    }
    return owned / places
  }

  /** All points with their owners, each `place * 2^16 + owner`: sorted by place, then by id. */
  #pack(previous: Ring | null): Float64Array {
    const total = this.#counts.reduce((sum, count) => sum + count, 0)
    const indexOf = new Map(this.ids.map((id, index) => [id, index]))
    // For each node of the previous ring its index here; -1 if it is gone, or has another number of points.
    const kept = (previous?.ids ?? []).map((id, index) => {
      const now = indexOf.get(id)
      if (now === undefined || this.#counts[now] !== previous!.#counts[index]) return -1
      indexOf.delete(id)
      return now
    })
    const packed = new Float64Array(total)
    let filled = 0
    for (const [id, index] of indexOf) {
      const count = this.#counts[index]!
      for (let i = 0; i < count; i++) packed[filled++] = hashKey(`${id}/${i}`) * indices + index
    }
    packed.subarray(0, filled).sort()
    if (filled < total) previous!.#mergeInto(packed, filled, kept)
    return packed
  }

  /** Merges the points that another ring keeps, by their new owners, into `packed`, whose first `filled` are sorted. */
  #mergeInto(packed: Float64Array, filled: number, kept: readonly number[]): void {
    const { points, owners } = this
    const length = points.length
    let fresh = filled - 1
    let to = packed.length - 1
    for (let i = length - 1; i >= 0; i--) {
      const at = i + this.#shift === length ? 0 : i + this.#shift
      const owner = kept[owners[at]!]!
      if (owner === -1) continue
      const value = points[at]! * indices + owner
      while (fresh >= 0 && packed[fresh]! > value) packed[to--] = packed[fresh--]!
      packed[to--] = value
    }
  }
}

function placeOf(packed: number): number {
  return Math.floor(packed / indices)
}

/** How far it is along the circle. */
function distance(from: number, to: number): number {
  return to >= from ? to - from : to + places - from
}

/** Index of the first end at or after `hash`; 0 beyond the last. */
function arcOf(ends: Uint32Array, hash: number): number {
  let low = 0
  let high = ends.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (ends[middle]! < hash) low = middle + 1
    else high = middle
  }
  return low === ends.length ? 0 : low
}
