import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  accusersWanted,
  remainingSuspicionMs,
  Suspicion,
  suspicionMinMs
} from '../../broker/swim/suspicion.ts'
import { ManualClock } from './manual-clock.ts'

test('the least time of a suspect grows with the logarithm of the cluster', () => {
  const table: [members: number, minMs: number][] = [
    [0, 4000],
    [1, 4000],
    [3, 4000],
    [10, 4000],
    [50, 4000 * Math.log10(50)],
    [100, 8000],
    [1000, 12_000],
    [10_000, 16_000]
  ]
  for (const [members, minMs] of table)
    assert.equal(suspicionMinMs(4, members, 1000), minMs, `${members} members`)
})

test('accusers are wanted only where there are enough members to accuse', () => {
  // n - 2 others may accuse besides the first: not the suspect, not the first.
  const table: [multiplier: number, members: number, wanted: number][] = [
    [4, 1, 0],
    [4, 3, 0],
    [4, 4, 2],
    [4, 50, 2],
    [6, 5, 0],
    [6, 6, 4],
    [2, 50, 0]
  ]
  for (const [multiplier, members, wanted] of table) {
    assert.equal(accusersWanted(multiplier, members), wanted, `${multiplier}, ${members}`)
  }
})

test('what remains to a suspect shrinks with each accuser as in Lifeguard', () => {
  // memberlist, suspicion_test.go: min 2 s, max 30 s, k = 3; its values are rounded down to ms there.
  const table: [accusers: number, elapsedMs: number, remainingMs: number][] = [
    [0, 0, 30_000],
    [1, 2000, 14_000],
    [2, 3000, 4810],
    [3, 4000, -2000],
    [4, 5000, -3000],
    [5, 10_000, -8000]
  ]
  for (const [accusers, elapsedMs, remainingMs] of table) {
    const remaining = remainingSuspicionMs(accusers, 3, elapsedMs, 2000, 30_000)
    assert.ok(Math.abs(remaining - remainingMs) < 1, `${accusers} accusers: ${remaining}`)
  }
})

test('with nobody else to accuse, a suspect has the least time', () => {
  assert.equal(remainingSuspicionMs(0, 0, 0, 2000, 30_000), 2000)
})

function suspicion(
  clock: ManualClock,
  wanted: number
): { suspicion: Suspicion; diedAt: number[]; stalls: number[] } {
  const diedAt: number[] = []
  const stalls: number[] = []
  const options = { clock, accuser: 'a:1', wanted, minMs: 2000, maxMs: 30_000, lateMs: 500 }
  const onDead = () => diedAt.push(clock.now())
  const onStall = () => stalls.push(clock.now())
  return { suspicion: new Suspicion({ ...options, onDead, onStall }), diedAt, stalls }
}

test('independent accusers bring the deadline nearer, the same one twice does not', () => {
  const clock = new ManualClock()
  const trial = suspicion(clock, 3)
  clock.advance(2000)
  assert.equal(trial.suspicion.accuse('a:1'), false)
  assert.equal(trial.suspicion.accuse('b:1'), true)
  assert.equal(trial.suspicion.accuse('b:1'), false)
  clock.advance(13_999)
  assert.deepEqual(trial.diedAt, [])
  clock.advance(1)
  assert.deepEqual(trial.diedAt, [16_000])
})

test('accusers that come when the shorter time is over end the trial at once', () => {
  const clock = new ManualClock()
  const trial = suspicion(clock, 1)
  clock.advance(5000)
  assert.equal(trial.suspicion.accuse('b:1'), true)
  clock.advance(0)
  assert.deepEqual(trial.diedAt, [5000])
  assert.equal(trial.suspicion.accuse('c:1'), false)
})

test('a suspicion that is cancelled never kills', () => {
  const clock = new ManualClock()
  const trial = suspicion(clock, 0)
  trial.suspicion.cancel()
  clock.advance(100_000)
  assert.deepEqual(trial.diedAt, [])
  assert.equal(clock.timers, 0)
})

test('a process that stood still past the deadline gives the suspect the least time again', () => {
  const clock = new ManualClock()
  const trial = suspicion(clock, 0)
  clock.stall(60_000)
  assert.deepEqual([trial.diedAt, trial.stalls], [[], [60_000]])
  clock.advance(1999)
  assert.deepEqual(trial.diedAt, [])
  clock.advance(1)
  assert.deepEqual(trial.diedAt, [62_000])
})
