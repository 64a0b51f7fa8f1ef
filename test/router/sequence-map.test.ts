import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { SequenceMap } from '../../broker/router/sequence-map.ts'

interface Value {
  of: number
}

describe('the map of sequences', () => {
  it('holds what a Map would, whatever is set and deleted, in ascending order', () => {
    const command = fc.oneof(
      fc.record({ set: fc.integer({ min: 1, max: 200 }) }),
      fc.record({ setAgain: fc.nat(300) }),
      fc.record({ delete: fc.nat(300) }),
      fc.record({ deleteOldest: fc.integer({ min: 1, max: 50 }) })
    )
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 2 ** 40 }),
        fc.array(command, { maxLength: 400 }),
        (base, commands) => {
          const map = new SequenceMap<Value>()
          const model = new Map<number, Value>()
          let next = base
          for (const each of commands) {
            if ('set' in each) {
              next += each.set
              const value = { of: next }
              map.set(next, value)
              model.set(next, value)
            } else if ('setAgain' in each) {
              const value = { of: -next }
              map.set(next - each.setAgain, value)
              model.set(next - each.setAgain, value)
            } else if ('delete' in each) {
              const sequence = next - each.delete
              map.delete(sequence)
              model.delete(sequence)
            } else {
              for (const sequence of [...model.keys()].sort((a, b) => a - b).slice(0, each.deleteOldest)) {
                map.delete(sequence)
                model.delete(sequence)
              }
            }
            assert.equal(map.size, model.size)
            if (model.size > 0) assert.equal(map.first, Math.min(...model.keys()))
          }
          assert.deepEqual(
            [...map],
            [...model].sort(([a], [b]) => a - b)
          )
          for (const sequence of [base - 1, next, next + 1, next - 64])
            assert.equal(map.get(sequence), model.get(sequence))
        }
      )
    )
  })

  it('refuses a number too far from the others, and keeps those', () => {
    const map = new SequenceMap<Value>(1024)
    assert.equal(map.set(5000, { of: 1 }), true)
    assert.equal(map.set(5000 + 1024, { of: 2 }), false)
    assert.equal(map.set(5001 - 1024, { of: 3 }), true)
    assert.deepEqual(
      [...map].map(([sequence]) => sequence),
      [5001 - 1024, 5000]
    )
  })

  it('may be emptied while it is walked', () => {
    const map = new SequenceMap<Value>()
    for (let sequence = 1; sequence <= 1000; sequence++) map.set(sequence, { of: sequence })
    let visited = 0
    for (const [sequence] of map) {
      visited++
      map.delete(sequence)
    }
    assert.deepEqual([visited, map.size], [1000, 0])
  })
})
