// What changed hands between two rings: the arcs whose owner is another one now. Walks the arcs
// of both rings at once, as a merge does; between two neighbouring ends neither owner changes.
// Source: as ring.ts.
import type { Ring } from './ring.ts'

/** An arc of the circle, `from` and `to` included (0..2^32 - 1, `from <= to`), and its owners; null: no owner. */
export interface Move {
  from: number
  to: number
  before: string | null
  after: string | null
}

const last = 2 ** 32 - 1
/** In place of an index: the ring is empty; the node is not on the later ring. */
const none = -1
const gone = -2

/** The arcs whose owner differs, ascending, as few as there can be; one that passes the end of the circle is two. */
export function moves(before: Ring, after: Ring): Move[] {
  const found: Move[] = []
  // Owners are compared as numbers: each id of the earlier ring by its index in the later one.
  const indexOf = new Map(after.ids.map((id, index) => [id, index]))
  const renamed = before.ids.map(id => indexOf.get(id) ?? gone)
  let from = 0
  let arcBefore = 0
  let arcAfter = 0
  while (from <= last) {
    const to = Math.min(endOf(before, arcBefore), endOf(after, arcAfter))
    const indexBefore = ownerOf(before, arcBefore)
    const indexAfter = ownerOf(after, arcAfter)
    if ((indexBefore === none ? none : renamed[indexBefore]!) !== indexAfter) {
      append(found, from, to, before.ids[indexBefore] ?? null, after.ids[indexAfter] ?? null)
    }
    // More than one, where arcs are empty.
    while (endOf(before, arcBefore) <= to && arcBefore < before.ends.length) arcBefore++
    while (endOf(after, arcAfter) <= to && arcAfter < after.ends.length) arcAfter++
    from = to + 1
  }
  return found
}

/** Beyond the last end the circle begins anew: that arc reaches to the end of the circle, and is the first one's. */
function endOf(ring: Ring, arc: number): number {
  return arc < ring.ends.length ? ring.ends[arc]! : last
}

function ownerOf(ring: Ring, arc: number): number {
  const { owners } = ring
  if (owners.length === 0) return none
  return owners[arc < owners.length ? arc : 0]!
}

function append(found: Move[], from: number, to: number, before: string | null, after: string | null): void {
  const previous = found[found.length - 1]
  if (previous?.to === from - 1 && previous.before === before && previous.after === after) previous.to = to
  else found.push({ from, to, before, after })
}

/** Answers, for a hash at a time, whether and how it moved. Neither question allocates. */
export class Moved {
  readonly moves: readonly Move[]
  readonly ends: Uint32Array

  /** `moves` as `moves()` returns them: ascending, apart from each other. */
  constructor(moves: readonly Move[]) {
    this.moves = moves
    this.ends = Uint32Array.from(moves, move => move.to)
  }

  /** The move that `hash` (0..2^32 - 1) is part of; null if it stayed where it was. */
  find(hash: number): Move | null {
    const ends = this.ends
    let low = 0
    let high = ends.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (ends[middle]! < hash) low = middle + 1
      else high = middle
    }
    if (low === ends.length) return null
    const move = this.moves[low]!
    return move.from <= hash ? move : null
  }

  has(hash: number): boolean {
    return this.find(hash) !== null
  }
}
