// Trackers by themselves: what a change of the ring tells, against what the two rings say.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { hashKey } from '../../broker/ring/hash.ts'
import { Ring } from '../../broker/ring/ring.ts'
import { type Key, Trackers } from '../../broker/ring/tracker.ts'

const SELF = 'self:1'
const KEYS = Array.from({ length: 60 }, (_, i) => `key${i}`)

function ringOf(others: readonly string[], withSelf: boolean): Ring {
  return new Ring(
    [...others, ...(withSelf ? [SELF] : [])].map(id => ({ id })),
    10
  )
}

function trackersOn(ring: Ring): Trackers<string> {
  return new Trackers<string>({ self: SELF, peer: id => id, hash: (key: Key) => hashKey(String(key)), ring })
}

const others = fc.uniqueArray(fc.integer({ min: 1, max: 6 }).map(number => `node${number}:1`))
const rings = fc.array(fc.record({ others, withSelf: fc.boolean() }), { minLength: 1, maxLength: 6 })

test('for any history of rings, each tracked key tells its first move and each change of its copy', () => {
  fc.assert(
    fc.property(others, rings, (first, history) => {
      let ring = ringOf(first, true)
      const trackers = trackersOn(ring)
      const got: string[] = []
      const expected: string[] = []
      const tracked = new Map<string, string | null>()
      for (const key of KEYS) {
        if (ring.owner(key) !== SELF) continue
        tracked.set(key, ring.replicas(key, 1)[0] ?? null)
        trackers
          .track(key, { replica: true })
          .on('move', peer => got.push(`${key} moves to ${peer}`))
          .on('replica', (now, before) => got.push(`${key} from ${before} to ${now}`))
      }
      for (const { others: ids, withSelf } of history) {
        ring = ringOf(ids, withSelf)
        trackers.changed(ring)
        for (const [key, before] of tracked) {
          const now = ring.replicas(key, 1)[0] ?? null
          if (ring.owner(key) !== SELF) {
            tracked.delete(key)
            expected.push(`${key} moves to ${ring.owner(key)}`)
          } else {
            tracked.set(key, now)
            if (now !== null && now !== before) expected.push(`${key} from ${before} to ${now}`)
          }
        }
      }
      assert.deepEqual(got.sort(), expected.sort())
      assert.equal(trackers.size, tracked.size)
    })
  )
})

test('an awaited key is told once, when it comes', () => {
  fc.assert(
    fc.property(others, rings, (first, history) => {
      const start = ringOf([...first, 'other:1'], false)
      const trackers = trackersOn(start)
      const got = new Map(KEYS.map(key => [key, 0]))
      for (const key of KEYS) trackers.replica(key, () => got.set(key, got.get(key)! + 1))
      const came = new Set<string>()
      for (const { others: ids, withSelf } of history) {
        const ring = ringOf(ids, withSelf)
        trackers.changed(ring)
        for (const key of KEYS) if (ring.owner(key) === SELF) came.add(key)
        for (const key of KEYS) assert.equal(got.get(key), came.has(key) ? 1 : 0)
      }
    })
  )
})

test('a listener may end other trackers and track anew', () => {
  const trackers = trackersOn(ringOf([], true))
  const told: string[] = []
  const second = trackers.track('b')
  trackers.track('a').on('move', () => {
    told.push('a')
    second.end()
    trackers.replica('a', () => {
      told.push('a is back')
      trackers.track('a').on('move', () => told.push('a again'))
    })
  })
  second.on('move', () => told.push('b'))
  trackers.changed(ringOf(['other:1'], false))
  trackers.changed(ringOf([], true))
  trackers.changed(ringOf(['other:1'], false))
  // `b` was added first, so it was told before it could be ended.
  assert.deepEqual(told, ['b', 'a', 'a is back', 'a again'])
})

test('clear moves all that is tracked to nobody, and forgets what is awaited', () => {
  const trackers = trackersOn(ringOf(['other:1'], true))
  const ring = ringOf(['other:1'], true)
  const told: unknown[] = []
  for (const key of KEYS) {
    if (ring.owner(key) === SELF) trackers.track(key).on('move', peer => told.push(peer))
    else trackers.replica(key, () => told.push(key))
  }
  const tracked = KEYS.filter(key => ring.owner(key) === SELF).length
  trackers.clear()
  trackers.changed(ringOf([], true))
  assert.deepEqual(
    told,
    Array.from({ length: tracked }, () => null)
  )
  assert.equal(trackers.size, 0)
})
