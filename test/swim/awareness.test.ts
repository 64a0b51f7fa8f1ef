import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Awareness, failedProbeDelta } from '../../broker/swim/awareness.ts'

test('the local health score stays within its bounds and stretches timeouts', () => {
  const awareness = new Awareness(8)
  const table: [delta: number, score: number, scaledMs: number][] = [
    [0, 0, 1000],
    [-1, 0, 1000],
    [1, 1, 2000],
    [2, 3, 4000],
    [-1, 2, 3000],
    [10, 7, 8000],
    [-1, 6, 7000],
    [-10, 0, 1000]
  ]
  for (const [delta, score, scaledMs] of table) {
    awareness.add(delta)
    assert.deepEqual([awareness.score, awareness.scale(1000)], [score, scaledMs], `after ${delta}`)
  }
})

test('a failed probe blames us as far as nacks are missing, or if there was nobody to ask', () => {
  const table: [mediators: number, nacks: number, delta: number][] = [
    [0, 0, 1],
    [1, 1, 0],
    [1, 0, 1],
    [3, 3, 0],
    [3, 1, 2],
    [3, 0, 3],
    [3, 5, 0]
  ]
  for (const [mediators, nacks, delta] of table) assert.equal(failedProbeDelta(mediators, nacks), delta)
})
