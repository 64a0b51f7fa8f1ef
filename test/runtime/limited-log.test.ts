import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LimitedLog } from '../../broker/runtime/limited-log.ts'
import { silentLog } from '../../broker/runtime/log.ts'
import { ManualClock } from '../swim/manual-clock.ts'

function limited(): { log: LimitedLog; clock: ManualClock; lines: object[] } {
  const clock = new ManualClock()
  const lines: object[] = []
  return { log: new LimitedLog({ ...silentLog, warn: fields => lines.push(fields) }, clock), clock, lines }
}

test('the same is said once a minute, and then how often it was not', () => {
  const { log, clock, lines } = limited()
  for (let i = 0; i < 100; i++) log.warn('a', { i }, 'refused')
  log.warn('b', { i: -1 }, 'refused')
  clock.advance(60_000)
  log.warn('a', { i: 100 }, 'refused')
  assert.deepEqual(lines, [{ i: 0 }, { i: -1, unsaid: 99 }, { i: 100 }])
})

test('however many different things strangers cause, the lines of a minute are bounded', () => {
  const { log, clock, lines } = limited()
  for (let minute = 0; minute < 3; minute++) {
    for (let i = 0; i < 1000; i++) log.warn(`${i}`, { i }, 'refused')
    clock.advance(60_000)
  }
  assert.equal(lines.length, 3 * 20)
})
