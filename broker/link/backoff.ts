// How long to wait before the next dial: nothing at first, then twice as long each time, up to a bound, and by
// chance between a half and the whole of it, so that the nodes that lost a peer together do not return together.
import type { Random } from '../runtime/random.ts'

const FIRST_MS = 50
export const BACKOFF_MAX_MS = 2000

/** In ms, after `failures` dials in a row that led to nothing. */
export function backoffMs(failures: number, random: Random): number {
  if (failures === 0) return 0
  const wholeMs = Math.min(BACKOFF_MAX_MS, FIRST_MS * 2 ** Math.min(failures - 1, 16))
  return wholeMs * (0.5 + random.next() / 2)
}
