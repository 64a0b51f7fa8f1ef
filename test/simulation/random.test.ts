import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SeededRandom } from './random.ts'

const draw = (random: SeededRandom, count: number): number[] =>
  Array.from({ length: count }, () => random.next())

test('a seed gives its numbers again, and a fork the same whatever its parent drew', () => {
  const one = new SeededRandom(1)
  const fork = draw(new SeededRandom(1).fork('x'), 10)
  assert.deepEqual(draw(one, 10), draw(new SeededRandom(1), 10))
  assert.deepEqual(draw(one.fork('x'), 10), fork)
  assert.notDeepEqual(draw(one.fork('y'), 10), fork)
})

test('the numbers are spread evenly, for neighbouring seeds as well', () => {
  const buckets = new Array<number>(16).fill(0)
  for (let seed = 0; seed < 400; seed++) {
    const random = new SeededRandom(seed)
    for (let i = 0; i < 40; i++) buckets[random.integer(16)]!++
  }
  for (const count of buckets) assert(count > 850 && count < 1150, `${buckets}`)
})

test('integers, ranges and bytes stay within their bounds', () => {
  const random = new SeededRandom('bounds')
  for (let i = 0; i < 1000; i++) {
    assert.equal(random.integer(1), 0)
    const between = random.between(-2, 3)
    assert(between >= -2 && between < 3)
  }
  assert.equal(random.bytes(33).length, 33)
  assert.equal(random.chance(0), false)
  assert.equal(random.chance(1), true)
})
