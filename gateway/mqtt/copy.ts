// Copies bytes between buffers. A loop beats the built-in copy below some 40 bytes, where topics and
// headers are.

const LOOP_BYTES_MAX = 40

/** Copies `start..end` of `source` to `target` from `at` on. Returns where the copy ends. */
export function copyBytes(
  target: Uint8Array,
  at: number,
  source: Uint8Array,
  start: number,
  end: number
): number {
  const length = end - start
  if (length > LOOP_BYTES_MAX) {
    target.set(start === 0 && end === source.length ? source : source.subarray(start, end), at)
    return at + length
  }
  for (let i = start; i < end; i++) target[at++] = source[i]!
  return at
}
