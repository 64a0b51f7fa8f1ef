import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { hashKey, shardKey } from '../../broker/ring/hash.ts'

describe('the hash of the ring', () => {
  // Fixed for ever: nodes of different versions and machines must agree on them.
  const places: [key: string, place: number][] = [
    ['', 3696677242],
    ['a', 1016544589],
    ['sensors/room/12', 3799293136],
    ['$session/client', 3351528084],
    ['grüße/🐟', 2986166499],
    ['127.0.0.1:7979/0', 2211813223],
    ['x'.repeat(100), 133597080]
  ]

  test('a key has the place it has always had', () => {
    for (const [key, place] of places) assert.equal(hashKey(key), place, key)
  })

  test('a string and its UTF-8 bytes have the same place, an unsigned 32-bit number', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), key => {
        const place = hashKey(key)
        assert.equal(place, hashKey(Buffer.from(key)))
        assert.equal(place, place >>> 0)
      })
    )
  })
})

describe('the key by which a topic finds its owner', () => {
  test('it is the whole topic when shardLevels is 0', () => {
    assert.equal(shardKey('a/b/c', 0), 'a/b/c')
  })

  test('it is the first levels of the topic, empty ones included', () => {
    assert.equal(shardKey('a/b/c', 1), 'a')
    assert.equal(shardKey('a/b/c', 2), 'a/b')
    assert.equal(shardKey('/a/b', 1), '')
    assert.equal(shardKey('a//b', 2), 'a/')
  })

  test('it is the whole topic when there are no more levels', () => {
    for (const levels of [3, 4, 100]) assert.equal(shardKey('a/b/c', levels), 'a/b/c')
  })
})
