import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { growthPercent } from '../../../gateway/cli/heap-room.ts'

const MIB = 1024 * 1024

test('a heap may grow by about as much whatever lives in it, until it grows by as much anyway', () => {
  assert.equal(growthPercent(12 * MIB), 1600)
  assert.equal(growthPercent(96 * MIB), 200)
  assert.equal(growthPercent(MIB), 2000, 'not without end')
  assert.equal(growthPercent(192 * MIB), 0, "from then on it is V8's own policy")
  assert.equal(growthPercent(1000 * MIB), 0)
})

/** Reads and forgets 2.5 GiB beside a heap of some MiB; returns how often all of it was marked. */
function marksOf(prepare: string): number {
  const heapRoom = fileURLToPath(new URL('../../../gateway/cli/heap-room.js', import.meta.url))
  const script = `
    import { PerformanceObserver, constants } from 'node:perf_hooks'
    import { keepHeapRoom } from ${JSON.stringify(heapRoom)}
    let marks = 0
    const observer = new PerformanceObserver(list => {
      for (const { detail } of list.getEntries()) if (detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR) marks++
    })
    observer.observe({ entryTypes: ['gc'] })
    ${prepare}
    const living = Array.from({ length: 100_000 }, (_, i) => ({ name: 'n' + i }))
    const recent = []
    for (let tick = 0; tick < 400; tick++) {
      for (let i = 0; i < 100; i++) {
        recent.push(Buffer.allocUnsafeSlow(65_536))
        if (recent.length > 60) recent.shift()
      }
      await new Promise(resolve => setImmediate(resolve))
    }
    await new Promise(resolve => setTimeout(resolve, 50))
    process.stdout.write(String(living.length > 0 ? marks : 0))`
  const output = execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' })
  return Number(output)
}

test('with room, what is read and forgotten does not have all of the heap marked', {
  skip: Number(process.versions.v8.split('.')[0]) >= 13
}, () => {
  const without = marksOf('')
  const withRoom = marksOf('keepHeapRoom({ every: () => ({ cancel() {} }) })')
  assert.ok(withRoom <= without / 2, `${withRoom} times with room, ${without} without`)
})
