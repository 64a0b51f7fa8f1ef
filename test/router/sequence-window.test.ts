import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { SequenceWindow } from '../../broker/router/sequence-window.ts'

const WINDOW = 1 << 18

describe('the sequence window', () => {
  it('says as a set would whether a number is new, while numbers stay within the window', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 2 ** 40 }),
        fc.array(fc.integer({ min: 0, max: 5000 }), { maxLength: 300 }),
        (base, steps) => {
          const window = new SequenceWindow()
          const set = new Set<number>()
          for (const step of steps) {
            const sequence = base + step
            assert.equal(window.has(sequence), set.has(sequence))
            assert.equal(window.add(sequence), !set.has(sequence))
            set.add(sequence)
          }
        }
      )
    )
  })

  it('takes numbers that slid out of it for seen', () => {
    const window = new SequenceWindow()
    window.add(1)
    window.add(2 + WINDOW)
    assert.equal(window.add(2), false)
    assert.equal(window.add(3), true)
  })

  it('forgets nothing that a jump has not passed', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: WINDOW * 3 }), { minLength: 1, maxLength: 50 }),
        sequences => {
          const window = new SequenceWindow()
          const seen = new Set<number>()
          let highest = 0
          for (const sequence of sequences) {
            const expected = sequence > highest - WINDOW && !seen.has(sequence)
            assert.equal(window.add(sequence), expected)
            seen.add(sequence)
            highest = Math.max(highest, sequence)
          }
        }
      )
    )
  })

  it('takes a deleted number for new again', () => {
    const window = new SequenceWindow()
    window.add(7)
    window.delete(7)
    assert.equal(window.has(7), false)
    assert.equal(window.add(7), true)
  })
})
