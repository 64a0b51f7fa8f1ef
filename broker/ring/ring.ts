// Which node owns a key. Each node stands at many points of a circle of 2^32 places, and owns the
// arc that leads up to each of them; so a node that joins or leaves moves only its own arcs.
// Source: Karger et al., Consistent Hashing and Random Trees (STOC 1997); swim-hashring.
//
//   points   [ p0 ,  p1 ,  p2 , … , pn ]      ascending and distinct
//   owners   [  2 ,   0 ,   1 , … ,  0 ]      index in `ids`
//            owner of h = owners[first i with points[i] >= h]; beyond pn it is owners[0]
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

/** A ring never changes; a change of membership makes another one. Equal nodes and points make equal rings. */
export class Ring {
  /** Ascending by code units. */
  readonly ids: readonly string[]
  /** An unsigned 32-bit number of the ids and their points: equal on all nodes whose views agree. */
  readonly digest: number
  /** Where the arcs end, ascending and distinct. */
  readonly points: Uint32Array
  /** For each arc, the index of its owner in `ids`. */
  readonly owners: Uint16Array

  /** `nodes` in any order, with distinct ids. One without `points` has `replicaPoints`. */
  constructor(nodes: readonly RingNode[], replicaPoints = 100) {
    assert(nodes.length <= nodesMax, 'too many nodes for a ring')
    const sorted = [...nodes].sort((a, b) => (a.id < b.id ? -1 : 1))
    let total = 0
    let description = ''
    for (const [index, node] of sorted.entries()) {
      assert(node.id !== sorted[index - 1]?.id, `node ${node.id} is twice on the ring`)
      const count = node.points ?? replicaPoints
      assert(Number.isInteger(count) && count >= 1 && count <= pointsMax, `points of ${node.id}: ${count}`)
      total += count
      description += `${node.id} ${count}\n`
    }
    this.ids = sorted.map(node => node.id)
    this.digest = hashKey(description)

    // Sorts by place, then by id: where two nodes have the same point, the smaller id has it.
    const packed = new Float64Array(total)
    let filled = 0
    for (const [index, node] of sorted.entries()) {
      const count = node.points ?? replicaPoints
      for (let i = 0; i < count; i++) packed[filled++] = hashKey(`${node.id}/${i}`) * 0x10000 + index
    }
    packed.sort()

    const points = new Uint32Array(total)
    const owners = new Uint16Array(total)
    let kept = 0
    for (const value of packed) {
      const point = Math.floor(value / 0x10000)
      if (kept > 0 && points[kept - 1] === point) continue
      points[kept] = point
      owners[kept] = value % 0x10000
      kept++
    }
    this.points = points.slice(0, kept)
    this.owners = owners.slice(0, kept)
  }

  get size(): number {
    return this.ids.length
  }

  /** Index in `ids` of the node that owns a hash (0..2^32 - 1); -1 when the ring is empty. Allocates nothing. */
  ownerIndex(hash: number): number {
    const points = this.points
    if (points.length === 0) return -1
    return this.owners[arcOf(points, hash)]!
  }

  /** Id of the node that owns a key; null when the ring is empty. */
  owner(key: string): string | null {
    return this.ids[this.ownerIndex(hashKey(key))] ?? null
  }

  /** The next `count` distinct nodes along the circle after the owner, nearest first; fewer if there are fewer. */
  replicas(key: string, count: number): string[] {
    const { points, owners, ids } = this
    if (points.length === 0) return []
    const start = arcOf(points, hashKey(key))
    const seen = new Set([owners[start]!])
    const found: string[] = []
    for (let step = 1; step < points.length && found.length < count; step++) {
      const owner = owners[(start + step) % points.length]!
      if (seen.has(owner)) continue
      seen.add(owner)
      found.push(ids[owner]!)
    }
    return found
  }

  /** The part of all places that a node owns, 0..1; 0 for a node that is not on the ring. Walks every arc. */
  share(id: string): number {
    const { points, owners } = this
    const index = this.ids.indexOf(id)
    if (index === -1) return 0
    if (points.length === 1) return owners[0] === index ? 1 : 0
    let owned = 0
    for (let i = 0; i < points.length; i++) {
      if (owners[i] !== index) continue
      owned += i === 0 ? points[0]! + places - points[points.length - 1]! : points[i]! - points[i - 1]!
    }
    return owned / places
  }
}

/** Index of the first point at or after `hash`; 0 beyond the last. */
function arcOf(points: Uint32Array, hash: number): number {
  let low = 0
  let high = points.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (points[middle]! < hash) low = middle + 1
    else high = middle
  }
  return low === points.length ? 0 : low
}
