// `shoal cluster`: three processes that are one broker.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { type TestContext, test } from 'node:test'
import { eventually } from '../../support/eventually.ts'
import type { Child } from '../../support/process.ts'
import { run, shoal } from './shoal.ts'

interface Nodes {
  readonly child: Child
  readonly mqtt: string[]
  readonly http: string[]
  /** Of the nodes' processes. */
  readonly pids: number[]
}

async function startCluster(t: TestContext, ...args: string[]): Promise<Nodes> {
  const ports = ['--mqtt-port', '0', '--http-port', '0', '--cluster-port', '0']
  const child = shoal(t, ['cluster', ...ports, '--preset', 'local', ...args])
  await child.line(/nodes are up/)
  const rows = child.lines
    .map(({ text }) => /^\[\d\] +(mqtt:\S+) +(http:\S+) +(\S+)$/.exec(text))
    .filter(row => row !== null)
  return {
    child,
    mqtt: rows.map(([, mqtt = '']) => mqtt),
    http: rows.map(([, , http = '']) => http),
    pids: childrenOf(child.pid)
  }
}

/** Oldest first. */
function childrenOf(pid: number): number[] {
  const listed = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim()
  return listed.split(' ').map(Number)
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

const onLinux = { skip: process.platform === 'linux' ? false : 'looks into /proc' }

test(
  'a message published at one node reaches a subscriber of another, and ctrl-C stops all with 0',
  onLinux,
  async t => {
    const { child, mqtt, http, pids } = await startCluster(t)
    assert.equal(mqtt.length, 3, child.output)
    for (const name of ['[1]', '[2]', '[3]']) {
      assert.ok(
        child.lines.some(({ text }) => text.startsWith(`${name} MQTT listening on mqtt://127.0.0.1:`))
      )
    }
    await run(t, 'pub', '--url', mqtt[0]!, '-t', 'hello/world', '-m', 'hi', '-r', '-q', '1')
    const { out } = await run(t, 'sub', '--url', mqtt[2]!, '-t', 'hello/#', '-v', '-C', '1')
    assert.deepEqual(out, ['hello/world hi'])
    assert.match((await run(t, 'status', '--url', http[1]!)).out[0] ?? '', /of 3 nodes$/)
    child.signal('SIGINT')
    assert.equal(await child.exit(30_000), 0)
    assert.deepEqual(pids.filter(isAlive), [])
    assert.doesNotMatch(child.output, /is gone/)
  }
)

test('the loss of a node is reported, and the others go on', onLinux, async t => {
  const { child, http, pids } = await startCluster(t, '--log-level', 'warn')
  process.kill(pids[1]!, 'SIGKILL')
  await child.line(/^\[2\] is gone \(SIGKILL\); 2 of 3 nodes are left$/)
  await eventually('a ring of two', async () => {
    const { out } = await run(t, 'status', '--url', http[0]!)
    return /of 2 nodes$/.test(out[0] ?? '')
  })
  child.signal('SIGTERM')
  assert.equal(await child.exit(30_000), 0)
})

test('a second signal kills what does not stop', onLinux, async t => {
  const { child, pids } = await startCluster(t, '--nodes', '2', '--log-level', 'warn')
  process.kill(pids[0]!, 'SIGSTOP')
  child.signal('SIGINT')
  await eventually('the end of the node that was not stopped', () => !isAlive(pids[1]!))
  // Signals within half a second of the first count as its echo.
  await eventually('the end by a later signal', () => {
    child.signal('SIGINT')
    return child.ended
  })
  assert.equal(await child.exit(), 130)
  await eventually('the end of the stopped node', () => !isAlive(pids[0]!))
})

test('the nodes stop by themselves when the process that started them is killed', onLinux, async t => {
  const { child, pids } = await startCluster(t, '--nodes', '2', '--log-level', 'warn')
  child.signal('SIGKILL')
  await child.exit()
  await eventually('the end of both nodes', () => !pids.some(isAlive), { withinMs: 30_000 })
})

test('when a node cannot start, the others are stopped and the exit code is 1', onLinux, async t => {
  const { http } = await startCluster(t, '--nodes', '1', '--log-level', 'warn')
  const port = http[0]!.slice(http[0]!.lastIndexOf(':') + 1)
  const args = ['--mqtt-port=0', '--cluster-port=0', `--http-port=${port}`, '--nodes=2']
  const { code, out, errors } = await run(t, 'cluster', ...args)
  assert.equal(code, 1)
  assert.deepEqual(errors, ['shoal: The node [1] did not start.'])
  assert.match(
    out.join('\n'),
    /^\[1\] shoal: Cannot listen on 127\.0\.0\.1:\d+ for HTTP: another process listens there\./m
  )
})
