import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { test } from 'node:test'
import { commandLine } from '../../load/command.ts'
import { Child } from '../../load/compare/child.ts'
import { awaitPort, freePort } from '../../load/compare/started.ts'
import { usageOf } from '../../load/processes.ts'

test('a process is accounted for with its children', { skip: !existsSync('/proc/self/stat') }, async () => {
  const child = spawn(process.execPath, ['-e', 'process.stdin.resume(); process.stdout.write("up")'])
  try {
    await once(child.stdout, 'data')
    const [both, alone] = usageOf([process.pid, child.pid!])
    assert.ok(both!.processes >= 2)
    assert.equal(alone!.processes, 1)
    assert.ok(both!.rssKib > alone!.rssKib && alone!.rssKib > 1_000)
    assert.ok(both!.userUs + both!.systemUs >= alone!.userUs + alone!.systemUs)
  } finally {
    child.kill('SIGKILL')
  }
})

test('a process that is not there has used nothing', () => {
  assert.deepEqual(usageOf([2 ** 30]), [{ userUs: 0, systemUs: 0, rssKib: 0, processes: 0 }])
})

test('a child is awaited until it listens, and stopped', async () => {
  const port = await freePort()
  const script = `require('node:net').createServer().listen(${port}, '127.0.0.1')`
  const child = new Child(undefined, process.execPath, ['-e', script])
  await awaitPort(child, port)
  await child.stop()
  assert.ok(child.ended)
})

test('a child that ends before it listens is reported with its last words', async () => {
  const child = new Child(undefined, process.execPath, [
    '-e',
    'console.error("no such thing"); process.exit(3)'
  ])
  await assert.rejects(awaitPort(child, await freePort()), /no such thing/)
})

test('a program that does not exist is reported', async () => {
  const child = new Child(undefined, '/nowhere/broker', [])
  await assert.rejects(awaitPort(child, await freePort()), { code: 'PEER_GONE' })
})

test('the command of a result keeps no password', () => {
  assert.equal(commandLine(['pairs', '--password', 'secret']), 'load pairs --password ***')
  assert.equal(commandLine(['pairs', '--password=secret', '--qos', '1']), 'load pairs --password=*** --qos 1')
})
