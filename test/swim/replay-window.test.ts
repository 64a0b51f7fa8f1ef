// The window against a model that remembers everything.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { REPLAY_WINDOW, ReplayWindow } from '../../broker/swim/replay-window.ts'

test('a number is new once, and not when it is further behind than the window is long', () => {
  const steps = fc.array(fc.integer({ min: -2 * REPLAY_WINDOW, max: 3 * REPLAY_WINDOW }), { maxLength: 200 })
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2 ** 47 }), steps, (start, offsets) => {
      const window = new ReplayWindow()
      const seen = new Set<number>()
      let newest = 0
      for (const number of [start, ...offsets.map(offset => Math.max(1, start + offset))]) {
        const isNew = number > newest || (newest - number < REPLAY_WINDOW && !seen.has(number))
        assert.equal(window.isNew(number), isNew, `${number} after ${newest}`)
        window.take(number)
        assert.equal(window.isNew(number), false)
        seen.add(number)
        newest = Math.max(newest, number)
      }
    })
  )
})

test('the first thousands in any order are taken once each', () => {
  const window = new ReplayWindow()
  const numbers = Array.from({ length: REPLAY_WINDOW }, (_, i) => 1 + ((i * 7919) % REPLAY_WINDOW))
  for (const number of numbers) {
    assert.equal(window.isNew(number), true)
    window.take(number)
  }
  for (const number of numbers) assert.equal(window.isNew(number), false)
})
