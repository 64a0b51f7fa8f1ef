// Latencies in fixed memory: 128 buckets for each power of two, so any figure is within 0.8 % of what
// was recorded, from 1 µs to 35 minutes. The counts may lie in shared memory: one thread records, others read.
// Source: HdrHistogram's bucket layout; Gil Tene, "How NOT to Measure Latency".

/** Linear buckets in each power of two. */
const SUB_BUCKETS = 128
/** Number of counts a histogram needs. */
export const LATENCY_BUCKETS = 25 * SUB_BUCKETS
const LONGEST_US = 2 ** 31 - 1

/** The bucket of a latency in µs. Below zero counts as zero; beyond 2³¹ µs as the longest. */
export function bucketOf(latencyUs: number): number {
  if (latencyUs >= LONGEST_US) return LATENCY_BUCKETS - 1
  const us = latencyUs > 0 ? latencyUs | 0 : 0
  const shift = 24 - Math.clz32(us | SUB_BUCKETS)
  return shift * SUB_BUCKETS + (us >>> shift)
}

/** The middle of a bucket, in µs. */
export function bucketUs(bucket: number): number {
  if (bucket < 2 * SUB_BUCKETS) return bucket
  const shift = Math.floor(bucket / SUB_BUCKETS) - 1
  return (bucket - shift * SUB_BUCKETS + 0.5) * 2 ** shift
}

/** A distribution's figures, µs. All zero when nothing was recorded. */
export interface LatencySummary {
  count: number
  meanUs: number
  p50Us: number
  p90Us: number
  p99Us: number
  p999Us: number
  maxUs: number
}

/** The latency (µs) that `share` (0..1) of the recorded ones do not exceed; 0 of none. */
export function percentileUs(counts: ArrayLike<number>, share: number): number {
  let total = 0
  for (let i = 0; i < counts.length; i++) total += counts[i]!
  const rank = Math.max(1, Math.ceil(total * share))
  let seen = 0
  for (let i = 0; i < counts.length; i++) {
    seen += counts[i]!
    if (seen >= rank) return bucketUs(i)
  }
  return 0
}

export function summarise(counts: ArrayLike<number>): LatencySummary {
  let count = 0
  let sumUs = 0
  let maxUs = 0
  for (let i = 0; i < counts.length; i++) {
    const n = counts[i]!
    if (n === 0) continue
    count += n
    sumUs += n * bucketUs(i)
    maxUs = bucketUs(i)
  }
  return {
    count,
    meanUs: count === 0 ? 0 : sumUs / count,
    p50Us: percentileUs(counts, 0.5),
    p90Us: percentileUs(counts, 0.9),
    p99Us: percentileUs(counts, 0.99),
    p999Us: percentileUs(counts, 0.999),
    maxUs
  }
}
