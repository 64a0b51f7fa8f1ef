import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { HybridClock } from '../../broker/router/hybrid-clock.ts'
import type { Clock } from '../../broker/runtime/clock.ts'

function at(wall: { ms: number }): Clock {
  return { wall: () => wall.ms } as Clock
}

describe('the hybrid clock', () => {
  it('gives stamps that only grow, whatever the wall clock does and others say', () => {
    const step = fc.record({
      wall: fc.integer({ min: 1, max: 2e12 }),
      heard: fc.integer({ min: 0, max: 2 ** 53 - 1 })
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100 }), steps => {
        const wall = { ms: 1e12 }
        const clock = new HybridClock(at(wall), 0)
        let last = 0
        for (const { wall: ms, heard } of steps) {
          wall.ms = ms
          clock.merge(heard)
          const stamp = clock.next()
          assert.ok(stamp > last && Number.isSafeInteger(stamp))
          last = stamp
        }
      })
    )
  })

  it('is later than what it has heard', () => {
    const clock = new HybridClock(at({ ms: 1e12 }), 0)
    clock.merge(1e12 * 1024 + 5000)
    assert.equal(clock.next(), 1e12 * 1024 + 5001)
  })

  it('ignores a stamp that is more than a day ahead', () => {
    const clock = new HybridClock(at({ ms: 1e12 }), 0)
    clock.merge((1e12 + 25 * 3_600_000) * 1024)
    assert.equal(clock.next(), 1e12 * 1024)
  })
})
