import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { SwimCounters } from '../../broker/swim/counters.ts'
import { GossipQueue, retransmitLimit } from '../../broker/swim/gossip.ts'

test('a rumour is sent as often as the multiplier times the digits of the cluster size', () => {
  const table: [members: number, limit: number][] = [
    [0, 0],
    [1, 4],
    [3, 4],
    [9, 4],
    [10, 8],
    [99, 8],
    [100, 12],
    [10_000, 20]
  ]
  for (const [members, limit] of table) assert.equal(retransmitLimit(4, members), limit, `${members} members`)
})

function queue(max = 1000): { gossip: GossipQueue; counters: SwimCounters } {
  const counters = new SwimCounters()
  return { gossip: new GossipQueue(max, counters, () => {}), counters }
}

const rumour = (mark: number, length = 30): Uint8Array => new Uint8Array(length).fill(mark)
const marks = (rumours: Uint8Array[]): number[] => rumours.map(bytes => bytes[0]!)

test('rumours sent least often go first, and of these the newest', () => {
  const { gossip } = queue()
  gossip.add('a', rumour(1))
  gossip.add('b', rumour(2))
  gossip.add('c', rumour(3))
  assert.deepEqual(marks(gossip.take(60, 9)), [3, 2])
  gossip.add('d', rumour(4))
  assert.deepEqual(marks(gossip.take(60, 9)), [4, 1])
  assert.deepEqual(marks(gossip.take(1000, 9)).sort(), [1, 2, 3, 4])
})

test('rumours are urgent for half of their sendings, and as long as more wait than fit in a packet', () => {
  const { gossip } = queue()
  assert.equal(gossip.isUrgent(4), false)
  gossip.add('a', rumour(1))
  assert.equal(gossip.isUrgent(4), true)
  gossip.take(30, 4)
  gossip.take(30, 4)
  assert.equal(gossip.isUrgent(4), false)
  for (let i = 0; i < 40; i++) gossip.add(`crowd ${i}`, rumour(2))
  for (let sent = 0; sent < 3; sent++) gossip.take(10_000, 4)
  assert.equal(gossip.isUrgent(4), true)
  gossip.take(10_000, 4)
  assert.equal(gossip.isUrgent(4), false)
})

test('newer news of a member takes the place of older', () => {
  const { gossip } = queue()
  let replaced = 0
  gossip.add('a', rumour(1), () => replaced++)
  gossip.take(100, 9)
  gossip.add('a', rumour(2))
  assert.equal(replaced, 1)
  assert.equal(gossip.size, 1)
  assert.deepEqual(marks(gossip.take(1000, 9)), [2])
})

test('a rumour ends when it has been sent often enough, and says so once', () => {
  const { gossip } = queue()
  let done = 0
  gossip.add('a', rumour(1), () => done++)
  for (let i = 0; i < 3; i++) assert.equal(gossip.take(100, 4).length, 1)
  assert.equal(done, 0)
  assert.equal(gossip.take(100, 4).length, 1)
  assert.equal(done, 1)
  assert.equal(gossip.size, 0)
  assert.deepEqual(gossip.take(100, 4), [])
})

test('one that does not fit is passed over for one that does, and keeps its place', () => {
  const { gossip } = queue()
  gossip.add('a', rumour(1, 30))
  gossip.add('b', rumour(2, 500))
  assert.deepEqual(marks(gossip.take(100, 9)), [1])
  assert.deepEqual(marks(gossip.take(600, 9)), [2, 1])
})

test('a rumour is urgent for the first half of its sendings', () => {
  const { gossip } = queue()
  assert.equal(gossip.isUrgent(4), false)
  gossip.add('a', rumour(1))
  gossip.add('a', rumour(2))
  assert.equal(gossip.isUrgent(4), true)
  gossip.take(100, 4)
  assert.equal(gossip.isUrgent(4), true)
  gossip.take(100, 4)
  assert.equal(gossip.isUrgent(4), false)
  gossip.add('a', rumour(3))
  assert.equal(gossip.isUrgent(4), true)
})

test('a full queue drops what was sent most often', () => {
  const { gossip, counters } = queue(2)
  gossip.add('a', rumour(1))
  gossip.take(100, 9)
  gossip.add('b', rumour(2))
  gossip.add('c', rumour(3))
  assert.equal(counters.rumoursDropped, 1)
  assert.deepEqual(marks(gossip.take(100, 9)), [3, 2])
})

test('whatever is added and taken, packets keep to their space and each rumour is sent just often enough', () => {
  const step = fc.oneof(
    fc.record({ about: fc.integer({ min: 0, max: 20 }), length: fc.integer({ min: 20, max: 200 }) }),
    fc.record({ space: fc.integer({ min: 0, max: 600 }) })
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), steps => {
      const { gossip } = queue()
      const sent = new Map<Uint8Array, number>()
      const current = new Map<number, Uint8Array>()
      for (const each of steps) {
        if ('about' in each) {
          const bytes = rumour(each.about, each.length)
          current.set(each.about, bytes)
          sent.set(bytes, 0)
          gossip.add(String(each.about), bytes)
        } else {
          const taken = gossip.take(each.space, 3)
          assert.ok(taken.reduce((sum, bytes) => sum + bytes.length, 0) <= each.space)
          assert.equal(new Set(taken).size, taken.length)
          for (const bytes of taken) {
            assert.equal(current.get(bytes[0]!), bytes, 'only the newest is sent')
            sent.set(bytes, sent.get(bytes)! + 1)
          }
        }
      }
      while (gossip.size > 0) for (const bytes of gossip.take(1000, 3)) sent.set(bytes, sent.get(bytes)! + 1)
      for (const bytes of current.values()) assert.equal(sent.get(bytes), 3)
      for (const times of sent.values()) assert.ok(times <= 3)
    }),
    { numRuns: 200 }
  )
})
