// `--workers`: several nodes in one process, at the same ports.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { test } from 'node:test'
import { withDeadline } from '../../support/deadline.ts'
import { eventually } from '../../support/eventually.ts'
import { run, shoal } from '../cli/shoal.ts'
import { connectedTo, portOf, samplesOf, startWorkers, workersOf } from './started.ts'

test('workers are members of one cluster, linked, behind one port each for MQTT and HTTP', async t => {
  const node = await startWorkers(t, 3)
  const ids = await workersOf(node)
  assert.equal(new Set(ids).size, 3)
  assert.ok(
    node.child.lines.some(({ text }) => text === `cluster ${ids[0]}, members 3`),
    node.child.output
  )
  const lines = (await run(t, 'status', '--url', node.http)).out.join('\n')
  for (const id of ids)
    assert.match(lines, new RegExp(`^${id} .*alive +serving +[0-9.]+ % +(?:up|itself)`, 'm'))
  assert.match(lines, /is ready; ring \S+ of 3 nodes/)
  node.child.signal('SIGTERM')
  assert.equal(await node.child.exit(), 0)
})

test('links between workers are no connections of the system', {
  skip: !existsSync('/proc/net/tcp')
}, async t => {
  const node = await startWorkers(t, 2)
  const ports = (await workersOf(node)).map(portOf)
  const established = readFileSync('/proc/net/tcp', 'utf8')
    .split('\n')
    .filter(line => / 01 /.test(line.slice(0, 40)))
  const ends = established
    .flatMap(line => line.trim().split(/\s+/).slice(1, 3))
    .map(end => parseInt(end.split(':')[1] ?? '', 16))
  assert.deepEqual(
    ports.filter(port => ends.includes(port)),
    []
  )
})

test('connections are dealt out evenly, one at a time and many at once', async t => {
  const node = await startWorkers(t, 2)
  await workersOf(node)
  const sockets: Socket[] = []
  t.after(() => {
    for (const socket of sockets) socket.destroy()
  })
  const open = async (): Promise<void> => {
    const socket = connect(portOf(node.mqtt), '127.0.0.1').on('error', () => {})
    sockets.push(socket)
    await withDeadline(once(socket, 'connect'), 'a connection')
  }
  for (let i = 0; i < 100; i++) await open()
  await Promise.all(Array.from({ length: 100 }, open))
  const counts = await eventually('all connections to be counted', async () => {
    const samples = [...(await samplesOf(node, 'shoal_mqtt_connections')).values()]
    return samples.reduce((sum, count) => sum + count, 0) === 200 ? samples : null
  })
  assert.ok(Math.min(...counts) >= 60, counts.join(' and '))
})

test('one scrape has the figures of all workers, whichever answers', async t => {
  const node = await startWorkers(t, 2)
  const ids = new Set(await workersOf(node))
  for (let i = 0; i < 10; i++) {
    assert.deepEqual(new Set((await samplesOf(node, 'shoal_ready')).keys()), ids)
  }
})

test('messages of QoS 1 go between clients of different workers', async t => {
  const node = await startWorkers(t, 2)
  await workersOf(node)
  const clients = await Promise.all(Array.from({ length: 8 }, () => connectedTo(t, node.mqtt)))
  const counts = [...(await samplesOf(node, 'shoal_mqtt_connections')).values()]
  assert.ok(Math.min(...counts) >= 1, counts.join(' and '))
  const received = clients.map(() => new Set<string>())
  for (const [i, client] of clients.entries()) {
    client.on('message', (_topic, payload) => received[i]!.add(String(payload)))
    await client.subscribeAsync('all/#', { qos: 1 })
  }
  await Promise.all(
    clients.flatMap((client, i) =>
      Array.from({ length: 20 }, (_, n) => client.publishAsync(`all/${i}`, `${i} ${n}`, { qos: 1 }))
    )
  )
  await eventually('every message at every client', () => received.every(({ size }) => size === 160))
})

test('shoal cluster starts nodes of several workers, on cluster ports of their own', async t => {
  const ports = ['--mqtt-port=0', '--http-port=0', '--cluster-port=0']
  const child = shoal(t, [
    'cluster',
    '--nodes=2',
    '--workers=2',
    '--preset=local',
    '--log-level=warn',
    ...ports
  ])
  await child.line(/2 nodes are up/, 30_000)
  const row = child.lines
    .map(({ text }) => /^\[2\] +(?:mqtt:\S+) +(http:\S+) /.exec(text))
    .find(found => found !== null)
  assert.match((await run(t, 'status', '--url', row?.[1] ?? '')).out[0] ?? '', /of 4 nodes$/)
  child.signal('SIGINT')
  assert.equal(await child.exit(30_000), 0)
})
