import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { moved, readBaseline, writeBaseline } from '../../../load/micro/baseline.ts'
import { BENCHES } from '../../../load/micro/benches.ts'

test('every bench runs, and its name is its own', () => {
  assert.equal(new Set(BENCHES.map(({ name }) => name)).size, BENCHES.length)
  for (const bench of BENCHES) assert.notEqual(bench.make()(10), undefined, bench.name)
})

test('a baseline keeps the benches that were not run again', () => {
  const folder = mkdtempSync(join(tmpdir(), 'baseline-'))
  try {
    const file = join(folder, 'baseline.json')
    assert.equal(readBaseline(file), undefined)
    writeBaseline(file, undefined, { a: { nanoseconds: 10.04, bytes: 1 }, b: { nanoseconds: 20, bytes: 2 } })
    writeBaseline(file, readBaseline(file), { b: { nanoseconds: 30, bytes: 3 } })
    assert.deepEqual(readBaseline(file)?.benches, {
      a: { nanoseconds: 10, bytes: 1 },
      b: { nanoseconds: 30, bytes: 3 }
    })
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('a figure within a tenth of its baseline has not moved', () => {
  const before = { nanoseconds: 100, bytes: 8 }
  assert.equal(moved({ nanoseconds: 108, bytes: 8 }, before), '')
  assert.equal(moved({ nanoseconds: 150, bytes: 8 }, before), '50 % slower')
  assert.equal(moved({ nanoseconds: 50, bytes: 0 }, before), '50 % faster, 8 bytes before')
  assert.equal(moved({ nanoseconds: 50, bytes: 0 }, undefined), 'new')
})
