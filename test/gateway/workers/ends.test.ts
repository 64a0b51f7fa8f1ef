// How a process of several workers ends: asked to, killed, by a fault of one of them, or before it has begun.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { MqttClient } from 'mqtt'
import { withDeadline } from '../../support/deadline.ts'
import { eventually } from '../../support/eventually.ts'
import { run, shoal, startShoal } from '../cli/shoal.ts'
import { connectedTo, portOf, startWorkers, workersOf } from './started.ts'

test('workers join a cluster by its base, and SIGTERM loses nothing that was acknowledged', async t => {
  const other = await startShoal(t, '--log-level', 'warn')
  const node = await startWorkers(t, 2, '--base', other.cluster)
  await workersOf(node)
  assert.match((await run(t, 'status', '--url', other.http)).out[0] ?? '', /of 3 nodes$/)
  const received = new Set<string>()
  const subscriber = await connectedTo(t, other.mqtt)
  subscriber.on('message', (_topic, payload) => received.add(String(payload)))
  await subscriber.subscribeAsync('drain/#', { qos: 1 })
  const acknowledged: string[] = []
  const publishers = await Promise.all(Array.from({ length: 4 }, () => connectedTo(t, node.mqtt)))
  const pump = async (publisher: MqttClient, i: number): Promise<void> => {
    for (let n = 0; publisher.connected; n++) {
      const payload = `${i} ${n}`
      await publisher.publishAsync(`drain/${i}/${n % 7}`, payload, { qos: 1 })
      acknowledged.push(payload)
    }
  }
  const closed = publishers.map(
    publisher => new Promise<void>(resolve => publisher.once('close', () => resolve()))
  )
  for (const [i, publisher] of publishers.entries()) void pump(publisher, i).catch(() => {})
  await eventually('messages to flow', () => acknowledged.length > 500)
  node.child.signal('SIGTERM')
  await withDeadline(Promise.all(closed), 'the publishers to be closed')
  assert.equal(await node.child.exit(), 0)
  await eventually('all that was acknowledged', () => acknowledged.every(payload => received.has(payload)))
  await eventually('a ring of one', async () =>
    / of 1 node$/.test((await run(t, 'status', '--url', other.http)).out[0] ?? '')
  )
})

test('when the process is killed, its nodes are missed by the others', async t => {
  const other = await startShoal(t, '--log-level', 'warn')
  const node = await startWorkers(t, 2, '--base', other.cluster)
  await workersOf(node)
  await node.child.kill()
  await eventually('a ring of one', async () =>
    / of 1 node$/.test((await run(t, 'status', '--url', other.http)).out[0] ?? '')
  )
})

test('a worker that fails ends the process, with a line that says which and why', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'shoal-'))
  t.after(() => rmSync(folder, { recursive: true }))
  // Loaded into every thread: the main one passes a signal on, and the workers fail.
  const planted = join(folder, 'planted.cjs')
  writeFileSync(
    planted,
    `const { isMainThread, BroadcastChannel } = require('node:worker_threads')
    const channel = new BroadcastChannel('planted')
    channel.unref()
    if (isMainThread) process.on('SIGUSR2', () => channel.postMessage(0))
    else channel.onmessage = () => { throw new Error('planted') }`
  )
  const ports = ['--mqtt-port=0', '--http-port=0', '--cluster-port=0']
  const args = ['start', '--workers=2', '--log-level=warn', ...ports]
  const child = shoal(t, args, { NODE_OPTIONS: `--require=${planted}` })
  await child.line(/^workers /)
  child.signal('SIGUSR2')
  assert.equal(await child.exit(), 1)
  assert.match(child.output, /error uncaught exception, exiting +worker=\d .*planted/)
  assert.match(child.output, /error worker failed, exiting +worker=\d/)
})

test('a port in use is one sentence, whichever worker wants it', async t => {
  const { mqtt: url, cluster } = await startShoal(t, '--log-level', 'warn')
  const free = ['--workers=2', '--mqtt-port=0', '--http-port=0', '--cluster-port=0']
  const mqttTaken = await run(t, 'start', ...free, `--mqtt-port=${portOf(url)}`)
  assert.equal(mqttTaken.code, 1)
  assert.match(
    mqttTaken.errors.join('\n'),
    /^shoal: Cannot listen on \S+ for MQTT: another process listens there\. .*--mqtt-port\.$/
  )
  // The second worker's port is taken; the first one's may be, too.
  const before = portOf(cluster) - 1
  const second = await run(t, 'start', ...free, `--cluster-port=${before}`)
  assert.equal(second.code, 1)
  assert.match(
    second.errors.join('\n'),
    new RegExp(`^shoal: Cannot listen on 127.0.0.1:(${before}|${portOf(cluster)}) for the cluster: `)
  )
})

test('workers that wait for their base nodes can be stopped', async t => {
  const args = ['--mqtt-port=0', '--http-port=0', '--cluster-port=0', '--base=127.0.0.1:1', '--workers=2']
  const child = shoal(t, ['start', ...args])
  await child.line(/no base node answers/)
  child.signal('SIGTERM')
  assert.equal(await child.exit(), 0)
})

test('workers without a port for MQTT or HTTP are a cluster all the same', async t => {
  const child = shoal(t, ['start', '--mqtt-port=off', '--http-port=off', '--cluster-port=0', '--workers=2'])
  await child.line(/^workers \S+ \S+$/)
  child.signal('SIGTERM')
  assert.equal(await child.exit(), 0)
})
