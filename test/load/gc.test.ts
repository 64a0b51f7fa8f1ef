import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { type Pauses, Trace } from '../../load/gc.ts'

const TRACE = `
[7:0xebc7e70]       22 ms: Scavenge 3.9 (4.0) -> 3.5 (5.0) MB, 0.94 / 0.00 ms  (average mu = 1.000, current mu = 1.000) allocation failure;
[7:0xebc7e70]       24 ms: Scavenge (interleaved) 4.3 (5.4) -> 4.0 (5.7) MB, 1.33 / 0.00 ms  (average mu = 1.000, current mu = 1.000) task;
MQTT listening on mqtt://127.0.0.1:1883
[7:0xebc7e70]      500 ms: Mark-Compact 10.5 (13.9) -> 8.1 (13.9) MB, 1.49 / 0.01 ms  (+ 30.4 ms in 100 steps since start of marking, biggest step 5.4 ms, walltime since start of marking 50 ms) (average mu = 0.9) finalize incremental marking via task; GC in old space requested
[7:0xebc7e70]      900 ms: Mark-Compact (reduce) 9.5 (13.9) -> 8.1 (13.9) MB, 2.50 / 0.01 ms  (average mu = 0.9) task;
`

/** What was read of a trace that came in parts of so many characters. */
function pausesOf(text: string, characters = text.length): Pauses[] {
  const trace = new Trace()
  for (let at = 0; at < text.length; at += characters) trace.add(text.slice(at, at + characters))
  return [...trace.pauses.values()]
}

test('each collection of a trace is counted by its kind, and the longest pause may lie between', () => {
  const [scavenges, marks, ...others] = pausesOf(TRACE)
  assert.deepEqual(others, [])
  assert.deepEqual([scavenges!.kind, scavenges!.count, scavenges!.longestMs], ['Scavenge', 2, 1.33])
  assert.deepEqual([marks!.kind, marks!.count, marks!.longestMs], ['Mark-Compact', 2, 5.4])
  assert.ok(Math.abs(marks!.totalMs - 3.99) < 1e-9)
  assert.deepEqual(pausesOf(TRACE, 7), pausesOf(TRACE))
})

test('the trace of this version of Node is understood', () => {
  const program = 'for (let i = 0; i < 3e6; i++) globalThis.last = { i }; gc()'
  const { stdout } = spawnSync(process.execPath, ['--expose-gc', '--trace-gc', '-e', program], {
    encoding: 'utf8'
  })
  const kinds = pausesOf(stdout).map(({ kind }) => kind)
  assert.ok(kinds.includes('Scavenge') && kinds.includes('Mark-Compact'), stdout)
})
