import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { build } from 'hdr-histogram-js'
import { bucketOf, bucketUs, LATENCY_BUCKETS, percentileUs, summarise } from '../../load/latency.ts'

test('a latency is kept within 0.8 % of what was recorded', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 31 - 2 }), us => {
      const error = Math.abs(bucketUs(bucketOf(us)) - us)
      assert.ok(error <= Math.max(0, us * 0.008), `${us} came back as ${bucketUs(bucketOf(us))}`)
    })
  )
})

test('a longer latency never lies in an earlier bucket', () => {
  fc.assert(
    fc.property(fc.nat(2 ** 31 - 1), fc.nat(2 ** 31 - 1), (a, b) => {
      assert.ok(a <= b ? bucketOf(a) <= bucketOf(b) : bucketOf(a) >= bucketOf(b))
    })
  )
})

test('what is negative, enormous or not a number falls into a bucket that exists', () => {
  for (const us of [-5, 0, 0.4, 2 ** 31, 1e15, Number.POSITIVE_INFINITY, Number.NaN]) {
    const bucket = bucketOf(us)
    assert.ok(Number.isInteger(bucket) && bucket >= 0 && bucket < LATENCY_BUCKETS, `${us} -> ${bucket}`)
  }
})

test('percentiles agree with hdr-histogram', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 10_000_000 }), { minLength: 1, maxLength: 300 }),
      latencies => {
        const oracle = build({ numberOfSignificantValueDigits: 4, highestTrackableValue: 20_000_000 })
        const counts = new Float64Array(LATENCY_BUCKETS)
        for (const us of latencies) {
          oracle.recordValue(us)
          counts[bucketOf(us)]! += 1
        }
        for (const share of [0.5, 0.9, 0.99, 1]) {
          const expected = oracle.getValueAtPercentile(share * 100)
          assert.ok(Math.abs(percentileUs(counts, share) - expected) <= expected * 0.01 + 1)
        }
      }
    )
  )
})

test('a summary of nothing is all zeroes', () => {
  const { count, meanUs, p99Us, maxUs } = summarise(new Float64Array(LATENCY_BUCKETS))
  assert.deepEqual([count, meanUs, p99Us, maxUs], [0, 0, 0, 0])
})
