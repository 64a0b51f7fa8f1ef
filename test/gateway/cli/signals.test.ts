// What the signals of the system mean.
import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { test } from 'node:test'
import { StopSignals } from '../../../gateway/cli/signals.ts'

function signalsAt(): {
  source: EventEmitter
  signals: StopSignals
  codes: number[]
  clock: { now: number }
} {
  const source = new EventEmitter()
  const codes: number[] = []
  const clock = { now: 1000 }
  const signals = new StopSignals(
    source,
    () => clock.now,
    code => codes.push(code)
  )
  return { source, signals, codes, clock }
}

test('the first signal asks, and a later one insists with the code of that signal', async () => {
  const { source, signals, codes, clock } = signalsAt()
  source.emit('SIGTERM')
  assert.equal(await signals.first, 'SIGTERM')
  assert.deepEqual(codes, [])
  clock.now += 2000
  source.emit('SIGINT')
  source.emit('SIGTERM')
  assert.deepEqual(codes, [130, 143])
})

test('the echo of a signal that npm has passed on is the same signal', async () => {
  const { source, signals, codes, clock } = signalsAt()
  source.emit('SIGINT')
  clock.now += 5
  source.emit('SIGINT')
  assert.equal(await signals.first, 'SIGINT')
  assert.deepEqual(codes, [])
})

test('released signals are left to the system', () => {
  const { source, signals } = signalsAt()
  signals.release()
  assert.deepEqual(source.eventNames(), [])
})
