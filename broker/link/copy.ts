// Copies bytes into a slab. A call into the engine's own copy costs more than a short loop.

/** Up to so many bytes a loop is faster; measured by load/micro/link.bench.ts. */
const LOOP_BYTES_MAX = 32

/** Copies `source[start..end)` to `target` at `at`; returns where it ends. */
export function copyBytes(
  source: Uint8Array,
  start: number,
  end: number,
  target: Buffer,
  at: number
): number {
  if (end - start > LOOP_BYTES_MAX) {
    target.set(start === 0 && end === source.length ? source : source.subarray(start, end), at)
    return at + end - start
  }
  let to = at
  for (let from = start; from < end; from++) target[to++] = source[from]!
  return to
}
