import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { hashKey } from '../../broker/ring/hash.ts'
import { type Move, Moved, moves } from '../../broker/ring/moves.ts'
import { Ring } from '../../broker/ring/ring.ts'
import { keys, nodes, ringOf } from './rings.ts'

const last = 2 ** 32 - 1

/** Owner of a place; null when the ring is empty. */
function ownerAt(ring: Ring, hash: number): string | null {
  return ring.ids[ring.ownerIndex(hash)] ?? null
}

/** Every place where an owner may change, and its neighbours. */
function edges(...rings: Ring[]): number[] {
  const around = rings.flatMap(ring => [...ring.ends]).flatMap(end => [end - 1, end, end + 1])
  return [0, last, ...around].filter(hash => hash >= 0 && hash <= last)
}

describe('the moves between two rings', () => {
  test('they say of every place what the two rings say', () => {
    fc.assert(
      fc.property(fc.option(nodes), fc.option(nodes), (a, b) => {
        const before = new Ring(a ?? [], 5)
        const after = new Ring(b ?? [], 5)
        const moved = new Moved(moves(before, after))
        for (const hash of edges(before, after)) {
          const from = ownerAt(before, hash)
          const to = ownerAt(after, hash)
          const move = moved.find(hash)
          assert.equal(moved.has(hash), from !== to)
          assert.equal(move === null, from === to)
          if (move !== null) assert.deepEqual([move.before, move.after], [from, to])
        }
      })
    )
  })

  test('they ascend, do not overlap, and are as few as can be', () => {
    fc.assert(
      fc.property(nodes, nodes, (a, b) => {
        let previous: Move | null = null
        for (const move of moves(new Ring(a, 5), new Ring(b, 5))) {
          assert.ok(move.from <= move.to && move.from >= 0 && move.to <= last)
          assert.notEqual(move.before, move.after)
          if (previous !== null) {
            assert.ok(move.from > previous.to)
            const touches = move.from === previous.to + 1
            assert.ok(!(touches && move.before === previous.before && move.after === previous.after))
          }
          previous = move
        }
      })
    )
  })

  test('when a node joins or leaves, only its own keys change owner', () => {
    fc.assert(
      fc.property(nodes, keys, (given, sample) => {
        const without = new Ring(given.slice(1), 10)
        const all = new Ring(given, 10)
        const id = given[0]!.id
        for (const move of moves(without, all)) assert.equal(move.after, id)
        for (const move of moves(all, without)) assert.equal(move.before, id)
        for (const key of sample) {
          if (all.owner(key) !== id) assert.equal(all.owner(key), without.owner(key))
        }
      })
    )
  })

  test('a node that joins takes places equal to its share', () => {
    const before = ringOf(['a:1', 'b:1', 'c:1'])
    const after = ringOf(['a:1', 'b:1', 'c:1', 'd:1'])
    let places = 0
    for (const move of moves(before, after)) places += move.to - move.from + 1
    assert.ok(Math.abs(places / 2 ** 32 - after.share('d:1')) < 1e-12)
  })

  test('equal rings have none', () => {
    assert.deepEqual(moves(ringOf(['a', 'b']), ringOf(['b', 'a'])), [])
    assert.deepEqual(moves(new Ring([]), new Ring([])), [])
  })

  test('the first node takes the whole circle, in one move', () => {
    const whole = [{ from: 0, to: last, before: null, after: 'a' }]
    assert.deepEqual(moves(new Ring([]), ringOf(['a'])), whole)
    const back = [{ from: 0, to: last, before: 'a', after: null }]
    assert.deepEqual(moves(ringOf(['a']), new Ring([])), back)
    const other = [{ from: 0, to: last, before: 'a', after: 'b' }]
    assert.deepEqual(moves(ringOf(['a']), ringOf(['b'])), other)
  })

  test('a key that moved is found by its hash', () => {
    const before = ringOf(['a:1', 'b:1'])
    const after = ringOf(['a:1', 'b:1', 'c:1'])
    const moved = new Moved(moves(before, after))
    for (let i = 0; i < 1000; i++) {
      const key = `topic/${i}`
      assert.equal(moved.has(hashKey(key)), before.owner(key) !== after.owner(key))
    }
  })
})
