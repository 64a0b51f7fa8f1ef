import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Board } from '../../load/board.ts'
import { Ledger } from '../../load/ledger.ts'

function ledger(streams = 1) {
  const board = new Board(1, streams)
  return { board, ledger: new Ledger(board.rows[0]!, 0, streams) }
}

function counts(board: Board) {
  return {
    lost: board.total('lost'),
    duplicated: board.total('duplicated'),
    reordered: board.total('reordered')
  }
}

test('messages that come once and in order are no fault', () => {
  const { board, ledger: it } = ledger()
  for (let sequence = 0; sequence < 10; sequence++) it.take(0, sequence)
  board.published[0] = 10
  it.close(board.published)
  assert.deepEqual(counts(board), { lost: 0, duplicated: 0, reordered: 0 })
  assert.equal(board.settledOf(0), 10)
})

test('a gap is lost, and its late arrival makes it reordered instead', () => {
  const { board, ledger: it } = ledger()
  it.take(0, 0)
  it.take(0, 3)
  assert.deepEqual(counts(board), { lost: 2, duplicated: 0, reordered: 0 })
  it.take(0, 1)
  assert.deepEqual(counts(board), { lost: 1, duplicated: 0, reordered: 1 })
  it.take(0, 1)
  assert.deepEqual(counts(board), { lost: 1, duplicated: 1, reordered: 1 })
})

test('what never came at the end is lost', () => {
  const { board, ledger: it } = ledger()
  it.take(0, 0)
  board.published[0] = 5
  it.close(board.published)
  assert.equal(board.total('lost'), 4)
})

test('a stream that the subscriber did not ask for is foreign', () => {
  const { board, ledger: it } = ledger(2)
  it.take(2, 0)
  it.take(4_000_000_000, 0)
  assert.equal(board.total('foreign'), 2)
})

test('a publisher has its window back for lost messages as for those that came', () => {
  const { board, ledger: it } = ledger()
  it.take(0, 9)
  assert.equal(board.settledOf(0), 10)
  it.take(0, 4)
  assert.equal(board.settledOf(0), 10)
})

test('for any arrivals of several streams, the counts are those of a plain model', () => {
  const arrivals = fc.array(fc.tuple(fc.nat(2), fc.nat(20)), { maxLength: 60 })
  fc.assert(
    fc.property(arrivals, taken => {
      const { board, ledger: it } = ledger(3)
      for (const [stream, sequence] of taken) it.take(stream, sequence)
      board.published.fill(21)
      it.close(board.published)
      const model = { lost: 0, duplicated: 0, reordered: 0 }
      for (let stream = 0; stream < 3; stream++) {
        const seen = new Set<number>()
        let highest = -1
        for (const [, sequence] of taken.filter(([of]) => of === stream)) {
          if (seen.has(sequence)) model.duplicated += 1
          else if (sequence < highest) model.reordered += 1
          seen.add(sequence)
          highest = Math.max(highest, sequence)
        }
        model.lost += 21 - seen.size
      }
      assert.deepEqual(counts(board), model)
    })
  )
})
