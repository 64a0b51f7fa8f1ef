import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LogEntry } from './publisher.ts'
import { type Arrival, reckon, reckonAcknowledgements } from './reckoning.ts'

function sent(count: number, topic = 'a'): LogEntry[] {
  return Array.from({ length: count }, (_, number) => ({
    topic,
    number,
    sentAtMs: number,
    ackedAtMs: number + 2
  }))
}

function arrived(numbers: readonly number[], topic = 'a'): Arrival[] {
  return numbers.map((number, index) => ({ topic, number, atMs: index * 10 }))
}

function counts(log: readonly LogEntry[], arrivals: readonly Arrival[]): number[] {
  const { lost, duplicated, reordered } = reckon(log, arrivals)
  return [lost, duplicated, reordered]
}

test('what was acknowledged and did not arrive is lost, and what was not acknowledged is not', () => {
  assert.deepEqual(counts(sent(4), arrived([0, 1, 2, 3])), [0, 0, 0])
  assert.deepEqual(counts(sent(4), arrived([0, 3])), [2, 0, 0])
  assert.deepEqual(
    counts([...sent(1), { topic: 'a', number: 1, sentAtMs: 1, ackedAtMs: -1 }], arrived([0])),
    [0, 0, 0]
  )
  assert.deepEqual(counts(sent(1), arrived([0], 'b')), [1, 0, 0], 'another topic is another message')
})

test('a second arrival is a duplicate, a late one is out of order, each within its topic', () => {
  assert.deepEqual(counts(sent(3), arrived([0, 1, 1, 2, 0])), [0, 2, 0])
  assert.deepEqual(counts(sent(4), arrived([0, 3, 1, 2])), [0, 0, 2])
  assert.deepEqual(counts([], [...arrived([1]), ...arrived([0, 1], 'b')]), [0, 0, 0])
})

test('gaps are told of all topics together and of each', () => {
  const at = (topic: string, number: number, atMs: number): Arrival => ({ topic, number, atMs })
  const arrivals = [at('a', 0, 0), at('b', 0, 40), at('b', 1, 70), at('a', 1, 90)]
  const { received, longestGapMs, longestTopicGapMs } = reckon([], arrivals)
  assert.deepEqual(
    { received, longestGapMs, longestTopicGapMs },
    { received: 4, longestGapMs: 40, longestTopicGapMs: 90 }
  )
})

test('acknowledgements are counted, and their gaps and waits told', () => {
  const log = [...sent(2), { topic: 'a', number: 2, sentAtMs: 2, ackedAtMs: 52 }]
  log.push({ topic: 'a', number: 3, sentAtMs: 3, ackedAtMs: -1 })
  assert.deepEqual(reckonAcknowledgements(log), {
    published: 4,
    acknowledged: 3,
    longestGapMs: 49,
    longestWaitMs: 50
  })
})
