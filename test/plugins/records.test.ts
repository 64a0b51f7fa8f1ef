// The parts of records, each by itself: which write wins, and which hashes are in a part of the ring.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Entry, type Snapshot } from '../../broker/plugins/records/entry.ts'
import { Ranges } from '../../broker/plugins/records/ranges.ts'
import { decodeRanges, decodeRecord, decodeTexts } from '../../broker/plugins/records/wire.ts'

const snapshots = fc
  .record({
    revision: fc.integer({ min: 1, max: 5 }),
    stamp: fc.integer({ min: 1, max: 5 }),
    by: fc.constantFrom('a', 'b')
  })
  .map(
    ({ revision, stamp, by }): Snapshot => ({
      key: 'key',
      revision,
      stamp,
      by,
      value: Buffer.from(`${stamp}${by}`)
    })
  )

function takeAll(all: readonly Snapshot[]): Entry {
  const entry = new Entry('key', 0)
  for (const each of all) entry.take(each)
  return entry
}

test('whatever the order in which writes arrive, the latest wins', () => {
  fc.assert(
    fc.property(fc.array(snapshots, { minLength: 1 }), all => {
      const last = [...all].sort((a, b) => a.stamp - b.stamp || (a.by < b.by ? -1 : 1)).at(-1)!
      for (const order of [all, [...all].reverse()]) {
        const { snapshot } = takeAll(order)
        assert.deepEqual([snapshot.stamp, snapshot.by], [last.stamp, last.by])
        assert(snapshot.revision >= last.revision)
      }
    })
  )
})

test('nodes that tell each other what they have come to the same, and revisions never go back', () => {
  fc.assert(
    fc.property(fc.array(snapshots), fc.array(snapshots), (left, right) => {
      const [a, b] = [takeAll(left), takeAll(right)]
      const before = Math.max(a.snapshot.revision, b.snapshot.revision)
      for (let round = 0; round < 2; round++) {
        if (a.snapshot.revision > 0) b.take(a.snapshot)
        if (b.snapshot.revision > 0) a.take(b.snapshot)
      }
      assert.deepEqual(a.snapshot, b.snapshot)
      assert(a.snapshot.revision >= before)
    })
  )
})

test('ranges have the hashes after their starts, up to their ends', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.integer({ min: -1, max: 100 }), { minLength: 2 }),
      fc.integer({ min: 0, max: 100 }),
      (points, hash) => {
        const sorted = [...points].sort((a, b) => a - b)
        const pairs = sorted.slice(1).map((end, i) => [sorted[i]!, end] as const)
        const some = pairs.filter((_pair, i) => i % 2 === 0).reverse()
        const ranges = new Ranges()
        for (const [start, end] of some) ranges.add(start, end)
        assert.equal(
          ranges.has(hash),
          some.some(([start, end]) => start < hash && hash <= end)
        )
      }
    )
  )
})

test('what another program says is checked', () => {
  const bad = { code: 'BAD_REQUEST' }
  for (const value of [null, 1, {}, [], ['k', 1, 1], ['k', 1.5, 1, 'a'], ['k', 1, 1, 'a', 'text']])
    assert.throws(() => decodeRecord(value), bad)
  for (const value of [null, [1], {}]) assert.throws(() => decodeTexts(value), bad)
  for (const value of [null, [1], [['a', 1]]]) assert.throws(() => decodeRanges(value), bad)
  const value = new Uint8Array([1, 2])
  const record = decodeRecord(['k', 1, 2, 'a', value])
  assert.deepEqual(record, { key: 'k', revision: 1, stamp: 2, by: 'a', value })
  assert.notEqual(record.value, value)
})
