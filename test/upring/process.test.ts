// Real processes on loopback: three nodes, of which one is killed outright, and one told to end.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { PassThrough, type Readable } from 'node:stream'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { type ReceivedStreams, type Upring, upring } from '../../broker/upring.ts'
import { withDeadline } from '../support/deadline.ts'
import { eventually } from '../support/eventually.ts'
import { type Child, startNode } from '../support/process.ts'

const PROGRAM = fileURLToPath(new URL('./ring-program.js', import.meta.url))
const TIMEOUT_MS = 60_000

interface Started {
  readonly client: Upring
  readonly children: Map<string, Child>
}

/** Three processes, and a client in this one. */
async function started(t: TestContext): Promise<Started> {
  const children = new Map<string, Child>()
  for (let i = 0; i < 3; i++) {
    const child = startNode(t, PROGRAM, [...children.keys()])
    const [, id] = await child.line(/^up (\S+)$/)
    children.set(id!, child)
  }
  const client = upring({
    client: true,
    base: [...children.keys()],
    logLevel: 'silent',
    cluster: { preset: 'local' }
  })
  t.after(() => client.close())
  await withDeadline(once(client, 'up'), 'the client is up')
  return { client, children }
}

/** Some keys of a node. */
function keysOf(client: Upring, id: string, count: number): string[] {
  const keys: string[] = []
  for (let i = 0; keys.length < count; i++) if (client.lookup(`key${i}`)?.id === id) keys.push(`key${i}`)
  return keys
}

async function endOf(stream: Readable): Promise<string> {
  stream.resume()
  return await new Promise(resolve => {
    stream.on('error', error => resolve((error as Error & { code?: string }).code ?? error.message))
    stream.on('end', () => resolve('ended'))
  })
}

test('when an owner is killed, its keys are answered by the next, and its streams fail', {
  timeout: TIMEOUT_MS
}, async t => {
  const { client, children } = await started(t)
  const [victim] = children.keys()
  const keys = keysOf(client, victim!, 20)
  for (const key of keys) assert.equal((await client.request({ cmd: 'who', key }))['id'], victim)
  const up = new PassThrough()
  const { streams } = await client.request<{ streams: ReceivedStreams }>({
    cmd: 'flow',
    key: keys[0]!,
    streams: { up }
  })
  await withDeadline(once(streams['down']!, 'data'), 'the stream flows')
  const ends = [endOf(streams['down']!), endOf(up)]
  const open = keys.map(key => client.request({ cmd: 'slow', key }))
  const down = once(client, 'peerDown')
  await withDeadline(client.request({ cmd: 'who', key: keys[0]! }), 'the requests are there')
  children.get(victim!)!.signal('SIGKILL')
  for (const end of ends) assert.equal(await withDeadline(end, 'the stream fails'), 'STREAM_ABORTED')
  for (const reply of await withDeadline(Promise.all(open), 'all are answered')) {
    assert.notEqual(reply['id'], victim)
    assert(children.has(String(reply['id'])))
  }
  const [peer] = await withDeadline(down, 'the death is told')
  assert.equal(peer.id, victim)
})

test('when a node is told to end, no request fails', { timeout: TIMEOUT_MS }, async t => {
  const { client, children } = await started(t)
  const leaver = [...children.keys()][1]!
  const keys = keysOf(client, leaver, 5)
  let isOver = false
  let asked = 0
  const asking = keys.map(async key => {
    const owners = new Set([(await client.request({ cmd: 'who', key }))['id']])
    asked++
    while (!isOver) owners.add((await client.request({ cmd: 'who', key }))['id'])
    return owners
  })
  await eventually('each key was asked for', () => asked === keys.length)
  children.get(leaver)!.signal('SIGTERM')
  assert.equal(await children.get(leaver)!.exit(), 0)
  isOver = true
  for (const owners of await withDeadline(Promise.all(asking), 'all are answered')) {
    assert.equal(owners.size, 2)
    assert(owners.has(leaver))
  }
})
