// The log for people.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ShoalError } from '../../../broker/errors.ts'
import { type Level, LineLog } from '../../../gateway/cli/line-log.ts'

function logOf(level: Level): { log: LineLog; lines: string[] } {
  const lines: string[] = []
  const now = (): Date => new Date('2026-01-02T03:04:05.678Z')
  return { log: new LineLog({ level, colour: false, write: line => lines.push(line), now }), lines }
}

test('a line has the time, the level, the event and the fields', () => {
  const { log, lines } = logOf('info')
  log.info({ member: '10.0.0.1:7979', incarnation: 3 }, 'member joined')
  log.warn({}, 'alone')
  assert.deepEqual(lines, [
    '03:04:05.678 info  member joined member=10.0.0.1:7979 incarnation=3',
    '03:04:05.678 warn  alone'
  ])
})

test('a child carries its fields, and what is less important than the level is not written', () => {
  const { log, lines } = logOf('warn')
  const child = log.child({ part: 'swim' })
  child.info({}, 'no')
  child.error({ x: 1 }, 'yes')
  assert.deepEqual(lines, ['03:04:05.678 error yes part=swim x=1'])
  const silent = logOf('silent')
  silent.log.error({}, 'no')
  assert.deepEqual(silent.lines, [])
})

test('what a client has chosen can neither begin a new line, nor pass for another field, nor move the cursor', () => {
  const { log, lines } = logOf('info')
  log.info({ client: 'a\nb=1 c=2', topic: '\x1b[2J\u202e\x9b', empty: '', plain: 'a/b', pair: 'x=y' }, 'said')
  assert.equal(
    lines[0],
    '03:04:05.678 info  said client="a\\nb=1 c=2" topic="\\u001b[2J\\u202e\\u009b" empty="" plain=a/b pair="x=y"'
  )
})

test('an error that was to be expected shows its code, a bug its stack, and no field makes the log throw', () => {
  const { log, lines } = logOf('info')
  const circular: Record<string, unknown> = {}
  circular['self'] = circular
  log.info({ error: new ShoalError('TIMEOUT') }, 'a')
  log.info({ error: new TypeError('bug') }, 'b')
  log.info({ circular, big: 1n, list: ['a:1'], undefined, none: null }, 'c')
  assert.equal(lines[0], '03:04:05.678 info  a error="no answer before the deadline (TIMEOUT)"')
  assert.match(lines[1] ?? '', /error="TypeError: bug\\n {4}at /)
  assert.equal(
    lines[2],
    '03:04:05.678 info  c circular="[circular]" big=1 list=["a:1"] undefined=undefined none=null'
  )
})

test('a very long field is cut', () => {
  const { log, lines } = logOf('info')
  log.info({ topic: 'x'.repeat(65_535) }, 'long')
  assert.ok((lines[0] ?? '').length < 1100)
})
