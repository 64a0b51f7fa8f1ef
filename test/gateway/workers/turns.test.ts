// Who has more connections than the others steps back for a moment.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Turns } from '../../../gateway/workers/turns.ts'

/** Whether taking its `connections`th makes the thread hold still. A pause lasts 0.3 ms at least. */
function holdsStill(turns: Turns, connections: number): boolean {
  const times = Array.from({ length: 5 }, () => {
    const start = performance.now()
    turns.taken(connections)
    return performance.now() - start
  })
  return Math.min(...times) >= 0.25
}

test('a thread holds still when it is ahead of the one with the fewest, and only then', () => {
  const memory = Turns.memoryFor(3)
  const [first, second, third] = [0, 1, 2].map(index => new Turns(memory, index))
  first!.count(10)
  second!.count(12)
  third!.count(40)
  assert.equal(holdsStill(first!, 14), false)
  assert.equal(holdsStill(third!, 41), true)
  first!.count(30)
  second!.count(38)
  assert.equal(holdsStill(third!, 35), false)
})

test('nobody waits for a thread that does not accept', () => {
  const memory = Turns.memoryFor(2)
  const [first, second] = [0, 1].map(index => new Turns(memory, index))
  assert.equal(holdsStill(first!, 1000), false)
  second!.count(0)
  assert.equal(holdsStill(first!, 1000), true)
  second!.leave()
  assert.equal(holdsStill(first!, 1000), false)
})
