import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TimelinePoint } from '../../load/result.ts'
import { memoryCourse } from '../../load/soak.ts'

const MIB = 1024

function timeline(mibs: readonly number[]): TimelinePoint[] {
  return mibs.map((mib, seconds) => ({
    seconds,
    publishedPerSecond: 0,
    deliveriesPerSecond: 0,
    p50Us: 0,
    p99Us: 0,
    inFlight: 0,
    errors: 0,
    brokerCpuPercent: 0,
    brokerRssKib: mib * MIB
  }))
}

test('memory that finds its size in the first quarter does not grow', () => {
  const { quartersKib, isGrowing } = memoryCourse(timeline([50, 90, 200, 190, 210, 200, 195, 205]), 1)
  assert.deepEqual(quartersKib, [90 * MIB, 200 * MIB, 210 * MIB, 205 * MIB])
  assert.equal(isGrowing, false)
})

test('memory that is greater in each quarter grows, whatever one reading says', () => {
  const steps = Array.from({ length: 40 }, (_, second) => 100 + second * 4)
  assert.equal(memoryCourse(timeline(steps), 1).isGrowing, true)
  assert.equal(memoryCourse(timeline([...steps.slice(0, 39), 1]), 1).isGrowing, true)
})

test('a garbage collector may leave 16 MiB a node', () => {
  const course = [100, 100, 100, 100, 110, 110, 140, 140]
  assert.equal(memoryCourse(timeline(course), 1).isGrowing, true)
  assert.equal(memoryCourse(timeline(course), 3).isGrowing, false)
})
