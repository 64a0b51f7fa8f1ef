// What changed hands between two rings: the arcs whose owner is another one now. Walks the points
// of both rings at once, as a merge does; between two neighbouring points neither owner changes.
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

/** The arcs whose owner differs, ascending, as few as there can be; one that passes the end of the circle is two. */
export function moves(before: Ring, after: Ring): Move[] {
  const found: Move[] = []
  let from = 0
  let arcBefore = 0
  let arcAfter = 0
  while (from <= last) {
    const endBefore = before.points[arcBefore] ?? last
    const endAfter = after.points[arcAfter] ?? last
    const to = Math.min(endBefore, endAfter)
    const ownerBefore = ownerOfArc(before, arcBefore)
    const ownerAfter = ownerOfArc(after, arcAfter)
    if (ownerBefore !== ownerAfter) append(found, from, to, ownerBefore, ownerAfter)
    if (endBefore === to) arcBefore++
    if (endAfter === to) arcAfter++
    from = to + 1
  }
  return found
}

function ownerOfArc(ring: Ring, arc: number): string | null {
  // Beyond the last point the circle begins anew.
  const index = ring.owners[arc < ring.owners.length ? arc : 0]
  return index === undefined ? null : ring.ids[index]!
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
