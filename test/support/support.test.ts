import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { withDeadline } from './deadline.ts'
import { eventually } from './eventually.ts'
import { freePorts } from './free-port.ts'
import { startNode, startProgram } from './process.ts'
import { findTool } from './tools.ts'

/** A script in a folder of its own, gone after the test. */
async function script(t: TestContext, text: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'shoal-'))
  t.after(() => rm(folder, { recursive: true }))
  const path = join(folder, 'script.mjs')
  writeFileSync(path, text)
  return path
}

/** False also for one that has ended, and that nobody has asked for its exit code yet. */
function isRunning(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}

test('a line of a child can be waited for before and after it was printed, with its match', async t => {
  const child = startNode(
    t,
    await script(t, "console.log('port 17'); console.error('port 18'); setInterval(() => {}, 1000)")
  )
  assert.equal((await child.line(/port (1\d)/))[1], '17')
  assert.equal((await child.line(/port (18)/))[1], '18')
  assert.equal((await child.line(/port (17)/))[1], '17')
  child.signal('SIGTERM')
  assert.equal(await child.exit(), 'SIGTERM')
  await child.kill()
})

test('waiting for a line of a child that exits without it fails with its output', async t => {
  const child = startNode(t, await script(t, "console.log('sorry'); process.exitCode = 3"))
  await assert.rejects(child.line(/port/), /did not print \/port\/; its output:\nsorry/)
  assert.equal(await child.exit(), 3)
  assert.equal(child.ended, true)
})

test('a child that is stopped, or was never started, can be killed', async t => {
  const child = startNode(t, await script(t, "console.log('up'); setInterval(() => {}, 1000)"))
  await child.line(/up/)
  child.signal('SIGSTOP')
  await child.kill()
  assert.equal(child.process.signalCode, 'SIGKILL')
  const never = startProgram(t, '/no/such/program', [])
  await assert.rejects(never.exit(), { code: 'ENOENT' })
})

test('children end with a process that is told to end, or fails', async t => {
  const module = new URL('./process.js', import.meta.url).href
  for (const end of ["console.log('ready')", 'setImmediate(() => { throw new Error() })']) {
    const parent = startNode(
      t,
      await script(
        t,
        `import { startProgram } from '${module}'
        console.log('child ' + startProgram({ after() {} }, 'sleep', ['60']).pid)
        ${end}`
      )
    )
    const pid = Number((await parent.line(/^child (\d+)$/))[1])
    if (end.includes('ready')) {
      await parent.line(/^ready$/)
      parent.signal('SIGTERM')
    }
    await parent.exit()
    await eventually('the end of the child', () => !isRunning(pid))
  }
})

test('free ports differ and can be listened on', async () => {
  const ports = await freePorts(3)
  assert.equal(new Set(ports).size, 3)
  for (const port of ports) {
    const server = createServer()
    await new Promise<void>(resolve => server.listen(port, '127.0.0.1', resolve))
    server.close()
  }
})

test('eventually gives the first value that is one, or the last error as the cause', async () => {
  let calls = 0
  assert.equal(await eventually('the third call', () => ++calls === 3 && 'third', { everyMs: 1 }), 'third')
  await assert.rejects(
    eventually(
      'pigs flying',
      () => {
        throw new Error('too heavy')
      },
      { withinMs: 5, everyMs: 1 }
    ),
    (error: Error) => /not within 5 ms: pigs flying/.test(error.message) && /heavy/.test(String(error.cause))
  )
})

test('a deadline rejects with what was waited for', async () => {
  assert.equal(await withDeadline(Promise.resolve(1), 'one'), 1)
  await assert.rejects(withDeadline(new Promise(() => {}), 'Godot', 5), /not within 5 ms: Godot/)
})

test('a tool is found by name and by path, or not at all', () => {
  assert.notEqual(findTool('sh'), null)
  assert.equal(findTool(process.execPath), process.execPath)
  assert.equal(findTool('no-such-tool-of-shoal'), null)
})
