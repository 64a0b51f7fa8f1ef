// An upring on a broker's own cluster: one ring, one set of links, one life.
import assert from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import { test } from 'node:test'
import type { ReceivedStreams } from '../../broker/upring.ts'
import { type Node, Nodes } from '../broker/nodes.ts'

async function rejection(nodes: Nodes, promise: Promise<unknown>): Promise<{ code?: unknown }> {
  return await nodes.settle(
    promise.then(
      () => assert.fail('did not reject'),
      error => error
    ),
    30_000
  )
}

function keyOf({ broker }: Node): string {
  for (let number = 0; ; number++) if (broker.upring.allocatedToMe(`key${number}`)) return `key${number}`
}

/** Brokers whose uprings answer who they are, and echo a stream. */
async function started(seed: number, count: number): Promise<Nodes> {
  const nodes = new Nodes(seed)
  for (let i = 0; i < count; i++) {
    const node = nodes.add()
    node.broker.upring.use(async upring => {
      upring.add('cmd:who', async () => ({ id: upring.whoami() }))
      upring.add('cmd:echo', async () => ({ streams: { echo: new PassThrough() } }))
    })
    await nodes.settle(node.broker.start(), 60_000)
  }
  return nodes
}

test('the owner of a key is the owner of the topic of that name', async () => {
  const nodes = await started(1, 3)
  for (const { broker } of nodes.all) {
    assert.equal(broker.upring.whoami(), broker.id)
    for (let i = 0; i < 50; i++) assert.equal(broker.upring.lookup(`key${i}`)?.id, broker.ownerOf(`key${i}`))
  }
})

test('requests, fires and streams go beside messages', async () => {
  const nodes = await started(2, 3)
  const [a, b] = [nodes.at(0), nodes.at(1)]
  const client = await nodes.subscribe(b, '#')
  for (const node of nodes.all) {
    const reply = await nodes.settle(a.broker.upring.request({ cmd: 'who', key: keyOf(node) }), 5000)
    assert.deepEqual(reply, { id: node.broker.id })
  }
  const { streams } = await nodes.settle(
    a.broker.upring.request<{ streams: ReceivedStreams }>({ cmd: 'echo', key: keyOf(b) }),
    5000
  )
  const echo = streams['echo']!
  let text = ''
  echo.on('data', chunk => {
    text += chunk
  })
  echo.end('back and forth')
  await nodes.simulation.until(() => text === 'back and forth', 5000)
  assert.deepEqual(client.texts, [])
})

test('plugins are loaded before the broker serves, and one that fails stops the start', async () => {
  const nodes = await started(3, 1)
  const { broker } = nodes.add()
  let load: (() => void) | null = null
  broker.upring.use((_upring, _options, done) => {
    load = done
  })
  const up = new Promise<void>(resolve => broker.upring.on('up', resolve))
  const start = broker.start()
  await nodes.simulation.run(5000)
  assert.equal(broker.ready, false)
  assert.deepEqual(nodes.at(0).broker.upring.peers(), [])
  load!()
  await nodes.settle(start, 5000)
  await nodes.settle(up, 5000)
  assert.equal(nodes.at(0).broker.upring.peers().length, 1)
  const failing = nodes.add().broker
  failing.upring.use(async () => {
    throw Object.assign(new Error('no disk'), { code: 'NO_DISK' })
  })
  assert.equal((await rejection(nodes, failing.start())).code, 'NO_DISK')
  await nodes.settle(failing.close(), 20_000)
})

test('an upring that is asked for late joins what is there', async () => {
  const nodes = await Nodes.started(4, 2)
  for (const { broker } of nodes.all) {
    const { upring } = broker
    upring.add('cmd:who', async () => ({ id: upring.whoami() }))
    await nodes.simulation.until(() => upring.isReady, 5000)
  }
  const [a, b] = [nodes.at(0), nodes.at(1)]
  const reply = await nodes.settle(a.broker.upring.request({ cmd: 'who', key: keyOf(b) }), 5000)
  assert.deepEqual(reply, { id: b.broker.id })
})

test('a broker that has no upring answers so', async () => {
  const nodes = await Nodes.started(5, 2)
  const { upring } = nodes.at(0).broker
  await nodes.simulation.until(() => upring.isReady, 5000)
  const answer = upring.peerConn({ id: nodes.at(1).broker.id }).request({ cmd: 'who' })
  assert.equal((await rejection(nodes, answer)).code, 'HANDLER_MISSING')
})

for (const who of ['broker', 'upring'] as const) {
  test(`closing the ${who} moves the keys, runs the hooks, and closes both`, async () => {
    const nodes = await started(6, 2)
    const [a, b] = [nodes.at(0), nodes.at(1)]
    const { upring } = b.broker
    const order: string[] = []
    const key = keyOf(b)
    upring.track(key).on('move', peer => order.push(`moved to ${peer?.id}`))
    upring.onClose(async () => {
      const reply = await upring.request({ cmd: 'who', key })
      order.push(`handed to ${reply['id']}`)
    })
    upring.on('close', () => order.push('close'))
    await nodes.settle(who === 'broker' ? b.broker.close() : upring.close(), 20_000)
    await nodes.settle(b.broker.close(), 20_000)
    assert.deepEqual(order, [`moved to ${a.broker.id}`, `handed to ${a.broker.id}`, 'close'])
    await nodes.simulation.run(5000)
    assert.equal(b.host.openSockets, 0)
    assert.deepEqual(a.broker.upring.peers(), [])
  })
}

test('a broker that was taken for dead tells that its keys were gone, and that they are back', async () => {
  const nodes = await started(8, 3)
  const node = nodes.at(0)
  const { upring } = node.broker
  const key = keyOf(node)
  const order: string[] = []
  upring.track(key).on('move', peer => order.push(`moved to ${peer?.id}`))
  const heir = nodes.at(1).broker.upring.next(key)!.id
  const other = nodes.all.find(({ broker }) => broker.id === heir)!.broker.upring
  other.replica(key, () => order.push('taken over'))
  node.host.pause()
  await nodes.simulation.until(() => order.length > 0, 60_000)
  node.host.resume()
  await nodes.simulation.until(() => order.length > 1 && upring.allocatedToMe(key), 60_000)
  assert.deepEqual(order, ['taken over', `moved to ${heir}`])
})

test('a broker that never starts can be closed, and its upring with it', async () => {
  const nodes = new Nodes(7)
  const { broker } = nodes.add()
  const closed = broker.upring.close()
  await nodes.settle(broker.close(), 5000)
  await nodes.settle(closed, 5000)
})
