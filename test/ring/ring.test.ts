import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { hashKey } from '../../broker/ring/hash.ts'
import { Ring } from '../../broker/ring/ring.ts'
import { keys, nodes, ringOf } from './rings.ts'

describe('a ring', () => {
  const three = ringOf(['127.0.0.1:7979', '127.0.0.1:7980', '127.0.0.1:7981'])

  // Fixed for ever: nodes of different versions and machines must agree on them.
  test('a key has the owner and the replicas it has always had', () => {
    const owners: [key: string, owner: string, replicas: string[]][] = [
      ['hello/world', '127.0.0.1:7979', ['127.0.0.1:7981', '127.0.0.1:7980']],
      ['a', '127.0.0.1:7979', ['127.0.0.1:7981', '127.0.0.1:7980']],
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

  test('the owner of a key has the first point at or after it', () => {
    fc.assert(
      fc.property(nodes, keys, (given, sample) => {
        const ring = new Ring(given, 10)
        const points = given
          .flatMap(({ id, points }) =>
            Array.from({ length: points ?? 10 }, (_, i) => ({ id, at: hashKey(`${id}/${i}`) }))
          )
          .sort((a, b) => a.at - b.at || (a.id < b.id ? -1 : 1))
        for (const key of sample) {
          const hash = hashKey(key)
          const expected = (points.find(point => point.at >= hash) ?? points[0]!).id
          assert.equal(ring.owner(key), expected)
          assert.equal(ring.ids[ring.ownerIndex(hash)], expected)
        }
      })
    )
  })

  test('the ends of the circle and of every arc have owners', () => {
    const last = three.points.length - 1
    assert.equal(three.ownerIndex(0), three.owners[0])
    assert.equal(three.ownerIndex(three.points[0]!), three.owners[0])
    assert.equal(three.ownerIndex(three.points[last]!), three.owners[last])
    assert.equal(three.ownerIndex(three.points[last]! + 1), three.owners[0])
    assert.equal(three.ownerIndex(2 ** 32 - 1), three.owners[0])
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

  test('shares are fair with 100 points: none above 1.35 of the mean, for 3 to 64 nodes', () => {
    const schemes = [
      (i: number) => `127.0.0.1:${7979 + i}`,
      (i: number) => `10.0.0.${i + 1}:7979`,
      (i: number) => `shoal-${i}.shoal:7979`
    ]
    for (const scheme of schemes) {
      for (let size = 3; size <= 64; size++) {
        const ring = ringOf(Array.from({ length: size }, (_, i) => scheme(i)))
        const shares = ring.ids.map(id => ring.share(id))
        const sum = shares.reduce((total, share) => total + share, 0)
        assert.ok(Math.abs(sum - 1) < 1e-9, `shares of ${size} nodes make ${sum}`)
        const worst = Math.max(...shares) * size
        assert.ok(worst <= 1.35, `${worst} of the mean among ${size} nodes like ${scheme(0)}`)
      }
    }
  })

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
