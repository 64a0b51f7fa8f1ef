// A step of the hot path measured alone: nanoseconds and bytes allocated for one operation. Several
// rounds, the best of which counts for time, since whatever disturbs a round makes it longer, never shorter.

export interface Bench {
  /** `part: what it does`; the key in the baseline. */
  name: string
  /** Prepares, untimed, and returns what runs the operation `times` times. It must not be optimised away. */
  make(): (times: number) => unknown
}

export interface Measured {
  nanoseconds: number
  bytes: number
}

const ROUND_MS = 20
const ROUNDS = 9
/** Operations of an allocation round: few enough that the young generation holds what they leave. */
const ALLOCATION_TIMES = 10_000
const ALLOCATION_ROUNDS = 5

/** What the last operation returned, kept where the compiler cannot prove that nobody looks. */
export const kept: { last: unknown } = { last: undefined }

function msOf(run: (times: number) => unknown, times: number): number {
  const start = performance.now()
  kept.last = run(times)
  return performance.now() - start
}

/** Measures one bench. Bytes need `--expose-gc` and a young generation of 64 MB or more; else they are NaN. */
export function measure(bench: Bench): Measured {
  const run = bench.make()
  let times = 1
  while (msOf(run, times) < ROUND_MS && times < 2 ** 30) times *= 2
  let best = Number.POSITIVE_INFINITY
  for (let round = 0; round < ROUNDS; round++) best = Math.min(best, msOf(run, times) / times)
  return { nanoseconds: best * 1e6, bytes: bytesOf(run) }
}

function bytesOf(run: (times: number) => unknown): number {
  const { gc } = globalThis
  if (gc === undefined) return Number.NaN
  let least = Number.POSITIVE_INFINITY
  for (let round = 0; round < ALLOCATION_ROUNDS; round++) {
    gc()
    const before = process.memoryUsage()
    kept.last = run(ALLOCATION_TIMES)
    const after = process.memoryUsage()
    const grown = after.heapUsed - before.heapUsed + (after.external - before.external)
    least = Math.min(least, Math.max(0, grown))
  }
  // The reading itself leaves some hundreds of bytes.
  return Math.round(least / ALLOCATION_TIMES)
}
