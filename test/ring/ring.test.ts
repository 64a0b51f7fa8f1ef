import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { hashKey } from '../../broker/ring/hash.ts'
import { moves } from '../../broker/ring/moves.ts'
import { Ring, type RingNode } from '../../broker/ring/ring.ts'
import { SeededRandom } from '../simulation/random.ts'
import { keys, nodes, ringOf } from './rings.ts'

describe('a ring', () => {
  const three = ringOf(['127.0.0.1:7979', '127.0.0.1:7980', '127.0.0.1:7981'])

  // Fixed for ever: nodes of different versions and machines must agree on them.
  test('a key has the owner and the replicas it has always had', () => {
    const owners: [key: string, owner: string, replicas: string[]][] = [
      ['hello/world', '127.0.0.1:7979', ['127.0.0.1:7981', '127.0.0.1:7980']],
      ['a', '127.0.0.1:7979', ['127.0.0.1:7980', '127.0.0.1:7981']],
      ['b', '127.0.0.1:7980', ['127.0.0.1:7981', '127.0.0.1:7979']],
      ['c', '127.0.0.1:7981', ['127.0.0.1:7980', '127.0.0.1:7979']],
      ['sensors/room/12', '127.0.0.1:7980', ['127.0.0.1:7979', '127.0.0.1:7981']]
    ]
    for (const [key, owner, replicas] of owners) {
      assert.equal(three.owner(key), owner)
      assert.deepEqual(three.replicas(key, 2), replicas)
    }
  })

  test('it has the digest it has always had', () => {
    assert.equal(three.digest, 4235763714)
    const weighted = new Ring([
      { id: 'a', points: 3 },
      { id: 'b', points: 5 }
    ])
    assert.equal(weighted.digest, 3968157231)
  })

  test('the order in which nodes are given changes nothing', () => {
    fc.assert(
      fc.property(
        nodes.chain(given =>
          fc.tuple(fc.constant(given), fc.shuffledSubarray(given, { minLength: given.length }))
        ),
        ([given, shuffled]) => {
          const a = new Ring(given, 10)
          const b = new Ring(shuffled, 10)
          assert.equal(a.digest, b.digest)
          assert.deepEqual(a.ids, b.ids)
          assert.deepEqual(a.points, b.points)
          assert.deepEqual(a.owners, b.owners)
        }
      )
    )
  })

  test('another node or another number of points makes another digest', () => {
    const digests = [
      new Ring([]),
      ringOf(['a']),
      ringOf(['b']),
      ringOf(['a', 'b']),
      new Ring([{ id: 'a', points: 99 }, { id: 'b' }]),
      new Ring([{ id: 'a' }, { id: 'b' }], 99)
    ].map(ring => ring.digest)
    assert.equal(new Set(digests).size, digests.length)
  })

  test('points given and points by default count alike', () => {
    assert.equal(new Ring([{ id: 'a', points: 100 }]).digest, ringOf(['a']).digest)
  })

  test('the owner of a place has the nearest point, and the replicas the next nearest', () => {
    fc.assert(
      fc.property(nodes, fc.array(fc.nat({ max: 2 ** 32 - 1 }), { minLength: 1 }), (given, sample) => {
        const ring = new Ring(given, 10)
        for (const hash of [...sample, 0, 2 ** 32 - 1, ...ring.ends, ...ring.points]) {
          const expected = nearest(given, hash)
          assert.equal(ring.ids[ring.ownerIndex(hash)], expected[0])
          assert.deepEqual(ring.replicasOf(hash, given.length), expected.slice(1))
        }
      }),
      { numRuns: 30 }
    )
  })

  test('a ring made from a previous one is the ring that is made from nothing', () => {
    fc.assert(
      fc.property(fc.array(nodes, { minLength: 1, maxLength: 5 }), history => {
        let ring = new Ring([], 10)
        for (const given of history) {
          ring = new Ring(given, 10, ring)
          assert.deepEqual({ ...ring }, { ...new Ring(given, 10) })
        }
      })
    )
  })

  test('of two nodes at the same place the smaller id has what is before it, the other what is behind', () => {
    const ids = ['10.0.95.176:7979', '10.0.32.89:7980']
    const ring = new Ring([...ids.map(id => ({ id, points: 1 })), { id: 'c', points: 1 }])
    const place = hashKey(`${ids[0]}/0`)
    assert.equal(hashKey(`${ids[1]}/0`), place)
    const at = (hash: number) => [ring.ids[ring.ownerIndex(hash)], ...ring.replicasOf(hash, 1)]
    assert.deepEqual(at(place), [ids[1], ids[0]])
    assert.deepEqual(at(place - 1), [ids[1], ids[0]])
    assert.deepEqual(at(place + 1), [ids[0], ids[1]])
    assert.ok(Math.abs(ring.share('c') - 0.5) < 1e-9)
    for (const id of ids) {
      const others = new Ring([
        { id: 'c', points: 1 },
        ...ids.filter(each => each !== id).map(each => ({ id: each, points: 1 }))
      ])
      for (const move of moves(ring, others)) assert.equal(move.before, id)
      assert.deepEqual(
        {
          ...new Ring(
            [
              { id: 'c', points: 1 },
              { id, points: 1 },
              { id: ids.find(each => each !== id)!, points: 1 }
            ],
            1,
            others
          )
        },
        { ...ring }
      )
    }
  })

  test('an empty ring owns nothing', () => {
    const empty = new Ring([])
    assert.equal(empty.size, 0)
    assert.equal(empty.ownerIndex(7), -1)
    assert.equal(empty.owner('a'), null)
    assert.deepEqual(empty.replicas('a', 3), [])
    assert.equal(empty.share('a'), 0)
  })

  test('a node alone owns everything, even with a single point', () => {
    const alone = new Ring([{ id: 'a', points: 1 }])
    assert.equal(alone.share('a'), 1)
    assert.equal(alone.share('b'), 0)
    assert.equal(alone.owner('anything'), 'a')
    assert.deepEqual(alone.replicas('anything', 3), [])
  })

  test('replicas are distinct, are not the owner, and are all there are when more are wanted', () => {
    fc.assert(
      fc.property(nodes, keys, fc.nat({ max: 15 }), (given, sample, count) => {
        const ring = new Ring(given, 10)
        for (const key of sample) {
          const replicas = ring.replicas(key, count)
          assert.equal(replicas.length, Math.min(count, ring.size - 1))
          assert.equal(new Set([ring.owner(key), ...replicas]).size, replicas.length + 1)
        }
      })
    )
  })

  test('when the owner leaves, the first replica becomes the owner', () => {
    fc.assert(
      fc.property(nodes, keys, (given, sample) => {
        const ring = new Ring(given, 10)
        for (const key of sample) {
          const without = new Ring(
            given.filter(node => node.id !== ring.owner(key)),
            10
          )
          assert.equal(without.owner(key), ring.replicas(key, 1)[0] ?? null)
        }
      })
    )
  })

  // The largest share of 64 nodes passes these bounds about once in 1,000 rings of random addresses: the
  // addresses that are drawn here are always the same.
  for (const [points, mostOfMean] of [
    [100, 1.35],
    [500, 1.15]
  ] as const) {
    test(`shares are fair with ${points} points: none above ${mostOfMean} of the mean, for 3 to 64 nodes`, () => {
      const random = new SeededRandom(1)
      const schemes = [
        (i: number) => `127.0.0.1:${7979 + i}`,
        (i: number) => `10.0.0.${i + 1}:7979`,
        (i: number) => `shoal-${i}.shoal:7979`,
        () =>
          `${[10, 256, 256, 256].map(below => random.integer(below)).join('.')}:${1024 + random.integer(64_512)}`
      ]
      for (const scheme of schemes) {
        const members = Array.from({ length: 64 }, (_, i) => ({ id: scheme(i), points }))
        let ring = new Ring([])
        for (let size = 3; size <= 64; size++) {
          ring = new Ring(members.slice(0, size), points, ring)
          const shares = ring.ids.map(id => ring.share(id))
          const sum = shares.reduce((total, share) => total + share, 0)
          assert.ok(Math.abs(sum - 1) < 1e-9, `shares of ${size} nodes make ${sum}`)
          const worst = Math.max(...shares) * size
          assert.ok(worst <= mostOfMean, `${worst} of the mean among ${size} nodes like ${scheme(0)}`)
        }
      }
    })
  }

  test('a node with three times the points takes about three times the share', () => {
    const ring = new Ring([
      { id: 'large', points: 3000 },
      { id: 'a', points: 1000 },
      { id: 'b', points: 1000 }
    ])
    assert.ok(Math.abs(ring.share('large') - 0.6) < 0.05, `${ring.share('large')}`)
  })

  test('a node that is given twice, or points out of bounds, are bugs of the caller', () => {
    assert.throws(() => ringOf(['a', 'a']), assert.AssertionError)
    for (const points of [0, -1, 1.5, Number.NaN, 10_001]) {
      assert.throws(() => new Ring([{ id: 'a', points }]), assert.AssertionError)
    }
  })
})

/** Ids by their distance from a place: the model of owner and replicas. */
function nearest(given: readonly RingNode[], hash: number): string[] {
  const away = given
    .flatMap(({ id, points = 10 }) =>
      Array.from({ length: points }, (_, i) => {
        const forth = (hashKey(`${id}/${i}`) - hash) >>> 0
        const back = (hash - hashKey(`${id}/${i}`)) >>> 0
        // At the same distance, the point before the place comes first.
        return { id, distance: Math.min(back, forth + 0.5) }
      })
    )
    .sort((a, b) => a.distance - b.distance)
  return [...new Set(away.map(({ id }) => id))]
}
