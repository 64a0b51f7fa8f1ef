import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { Message } from '../../broker/message.ts'
import { matches } from '../../broker/topics/filter.ts'
import { Level } from '../../broker/topics/level.ts'
import { RetainedStore, tombstonesMax } from '../../broker/topics/retained.ts'
import { filters, topics } from './texts.ts'

const ample = { retainedMax: 1_000_000, retainedBytesMax: 1_000_000_000 }

function message(topic: string, payload: string): Message {
  const buffer = Buffer.from(payload)
  return new Message({ name: topic, bytes: Buffer.from(topic) }, buffer, 0, buffer.length, 0, true)
}

function text(kept: { message: Message } | null): string | null {
  return kept === null ? null : Buffer.from(kept.message.payload()).toString()
}

function sizeOf(topic: string, payload: string): number {
  return Buffer.byteLength(topic) + Buffer.byteLength(payload)
}

const topicsOf = (found: Iterable<Message>): string[] => [...found].map(one => one.topic.name).sort()

describe('the store of retained messages', () => {
  const writes = fc.array(
    fc.record({
      topic: topics,
      payload: fc.constantFrom('', 'x', 'longer'),
      stamp: fc.integer({ min: 1, max: 20 })
    }),
    { maxLength: 40 }
  )

  test('the last writer of a topic wins, a clearing one too, and a filter finds what it matches', () => {
    fc.assert(
      fc.property(writes, fc.array(filters, { maxLength: 6 }), (given, sample) => {
        const store = new RetainedStore(ample)
        const model = new Map<string, { payload: string; stamp: number }>()
        for (const { topic, payload, stamp } of given) {
          const newer = stamp > (model.get(topic)?.stamp ?? 0)
          if (newer) model.set(topic, { payload, stamp })
          assert.equal(store.set(message(topic, payload), stamp), newer)
        }
        const live = [...model].filter(([, { payload }]) => payload !== '')
        for (const [topic, { payload, stamp }] of model) {
          assert.equal(text(store.get(topic)), payload === '' ? null : payload)
          if (payload !== '') assert.equal(store.get(topic)?.stamp, stamp)
        }
        assert.equal(store.count, live.length)
        assert.equal(store.tombstones, model.size - live.length)
        assert.equal(
          store.bytes,
          live.reduce((sum, [topic, { payload }]) => sum + sizeOf(topic, payload), 0)
        )
        for (const filter of [...sample, '#', '+', '$a/#']) {
          const expected = live.map(([topic]) => topic).filter(topic => matches(filter, topic))
          assert.deepEqual(topicsOf(store.match(filter)), expected.sort(), filter)
        }
      }),
      { numRuns: 500 }
    )
  })

  test('the same writes in any order, or by way of another store, leave the same', () => {
    const distinct = fc.uniqueArray(
      fc.record({ topic: topics, payload: fc.constantFrom('', 'x', 'y'), stamp: fc.nat() }),
      { selector: write => write.stamp, maxLength: 30 }
    )
    const orders = distinct.chain(given =>
      fc.tuple(fc.constant(given), fc.shuffledSubarray(given, { minLength: given.length }))
    )
    const known = (store: RetainedStore): unknown[] =>
      [...store.entries()]
        .map(entry => [
          entry.topic,
          entry.stamp,
          entry.message === null ? null : text({ message: entry.message })
        ])
        .sort()
    fc.assert(
      fc.property(orders, ([given, shuffled]) => {
        const stores = [given, shuffled].map(all => {
          const store = new RetainedStore(ample)
          for (const { topic, payload, stamp } of all) store.set(message(topic, payload), stamp)
          return store
        })
        assert.deepEqual(known(stores[0]!), known(stores[1]!))
        const third = new RetainedStore(ample)
        for (const { topic, message: kept, stamp } of stores[0]!.entries()) {
          if (kept === null) third.clear(topic, stamp)
          else third.set(kept, stamp)
        }
        assert.deepEqual(known(third), known(stores[0]!))
      })
    )
  })

  test('a copy of the same stamp is not taken', () => {
    const store = new RetainedStore(ample)
    assert.ok(store.set(message('a', 'first'), 5))
    assert.ok(!store.set(message('a', 'second'), 5))
    assert.ok(!store.clear('a', 5))
    assert.equal(text(store.get('a')), 'first')
  })

  test('a tombstone keeps an older copy away until it is pruned', () => {
    const store = new RetainedStore(ample)
    store.set(message('a', 'x'), 5)
    assert.ok(store.set(message('a', ''), 7))
    assert.ok(!store.set(message('a', 'x'), 6))
    assert.equal(store.prune(7), 0)
    assert.equal(store.prune(8), 1)
    assert.ok(store.set(message('a', 'x'), 6))
  })

  test('a deleted topic leaves nothing', () => {
    const store = new RetainedStore(ample)
    store.set(message('a/b', 'x'), 5)
    store.clear('c', 5)
    assert.ok(store.delete('a/b') && store.delete('c'))
    assert.ok(!store.delete('a/b') && !store.delete('c'))
    assert.deepEqual([store.count, store.bytes, store.tombstones], [0, 0, 0])
    assert.deepEqual([...store.entries()], [])
    assert.ok(store.set(message('a/b', 'x'), 1))
  })

  test('nothing is left of topics that are gone, however they went', () => {
    fc.assert(
      fc.property(fc.uniqueArray(topics), given => {
        const store = new RetainedStore(ample)
        for (const topic of given) store.set(message(topic, 'x'), 1)
        for (const [i, topic] of given.entries()) {
          if (i % 2 === 0) store.delete(topic)
          else store.clear(topic, 2)
        }
        store.prune(3)
        assert.deepEqual([...store.entries()], [])
        assert.deepEqual(Reflect.get(store, 'tree'), new Level('', null))
      })
    )
  })

  test('tombstones beyond the limit push out the oldest', () => {
    const store = new RetainedStore(ample)
    for (let i = 0; i <= tombstonesMax; i++) store.clear(`topic/${i}`, 10)
    assert.equal(store.tombstones, tombstonesMax)
    assert.ok(store.set(message('topic/0', 'x'), 9))
    assert.ok(!store.set(message('topic/1', 'x'), 9))
  })

  test('tombstones of long topics are fewer', () => {
    const store = new RetainedStore(ample)
    const long = 'x'.repeat(60_000)
    for (let i = 0; i < 200; i++) store.clear(`${long}${i}`, 10)
    assert.ok(store.tombstones < 100 && store.tombstones > 50)
  })

  test('a full store takes no new topic, but newer messages of those it has', () => {
    const store = new RetainedStore({ ...ample, retainedMax: 2 })
    store.set(message('a', 'x'), 1)
    store.set(message('b', 'x'), 1)
    assert.ok(!store.set(message('c', 'x'), 1))
    assert.equal(store.refused, 1)
    assert.ok(store.set(message('a', 'much longer than before'), 2))
    assert.ok(store.set(message('b', ''), 2))
    assert.ok(store.set(message('c', 'x'), 1))
    assert.deepEqual([store.count, store.refused], [2, 1])
  })

  test('bytes are limited as well: what does not fit leaves the store as it was', () => {
    const store = new RetainedStore({ ...ample, retainedBytesMax: 20 })
    assert.ok(store.set(message('a', '123456789'), 1)) // 10 bytes
    assert.ok(store.set(message('b', '123456789'), 1)) // 20 bytes
    assert.ok(!store.set(message('c', '1'), 1))
    assert.ok(!store.set(message('a', '1234567890'), 2))
    assert.equal(text(store.get('a')), '123456789')
    assert.ok(store.set(message('a', '987654321'), 2))
    assert.ok(store.set(message('a', '1'), 3))
    assert.deepEqual([store.count, store.bytes, store.refused], [2, 12, 2])
  })

  test('a refused message leaves the tombstone of its topic', () => {
    const store = new RetainedStore({ ...ample, retainedMax: 0 })
    store.clear('a', 5)
    assert.ok(!store.set(message('a', 'x'), 6))
    assert.equal(store.tombstones, 1)
  })

  test('properties count as bytes', () => {
    const store = new RetainedStore(ample)
    const one = message('a', 'x')
    one.properties = new Uint8Array(7)
    store.set(one, 1)
    assert.equal(store.bytes, 9)
  })

  test('while matches are read, a topic that keeps having a message is given once', () => {
    fc.assert(
      fc.property(fc.uniqueArray(topics, { maxLength: 12 }), writes, filters, (stable, changes, filter) => {
        const store = new RetainedStore(ample)
        for (const topic of stable) store.set(message(topic, 'stays'), 1)
        const found: string[] = []
        const left = [...changes]
        for (const one of store.match(filter)) {
          if (stable.includes(one.topic.name)) found.push(one.topic.name)
          for (const { topic, payload, stamp } of left.splice(0, 3)) {
            if (payload !== '' || !stable.includes(topic)) store.set(message(topic, payload), stamp + 1)
          }
        }
        assert.deepEqual(found.sort(), stable.filter(topic => matches(filter, topic)).sort())
      }),
      { numRuns: 500 }
    )
  })
})
