import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Client, Device, type Node, Nodes } from './nodes.ts'

/** Timers of subscriptions and requests are left to run out. */
const LEFTOVERS_MS = 35_000

async function assertNothingLeft(nodes: Nodes, { host }: Node): Promise<void> {
  await nodes.simulation.run(LEFTOVERS_MS)
  assert.equal(host.openSockets, 0, 'sockets')
  assert.equal(host.openTimers, 0, 'timers')
}

test('a node that closes leaves no socket and no timer, and no one who misses it', async () => {
  for (const seed of [1, 2, 3]) {
    const nodes = await Nodes.started(seed, 3)
    const node = nodes.at(seed - 1)
    await nodes.subscribe(node, '#')
    await nodes.leave(node)
    await nodes.simulation.run(10)
    assert.equal(node.host.openSockets, 0)
    await assertNothingLeft(nodes, node)
    for (const { broker } of nodes.all) {
      const { members, ring } = broker.status()
      assert.deepEqual([members.length, ring.nodes, ring.agreed], [2, 2, true])
    }
  }
})

for (const fault of ['pause', 'cut', 'crash'] as const) {
  test(`closing takes no longer than it may when a peer has met with ${fault}`, async () => {
    const closeTimeoutMs = 5000
    const nodes = await Nodes.started(1, 3, { closeTimeoutMs })
    const node = nodes.at(0)
    const topic = nodes.topicOf(node)
    await nodes.subscribe(nodes.at(2), topic)
    nodes.at(2).host[fault]()
    const device = new Device(node)
    for (let i = 0; i < 10; i++) device.publish(topic, 'x')
    const before = nodes.simulation.now
    await nodes.settle(node.broker.close(), 30_000)
    assert.ok(nodes.simulation.now - before <= closeTimeoutMs + 10)
    await assertNothingLeft(nodes, node)
  })
}

test('all nodes of a cluster can close at once, and do not wait for each other', async () => {
  for (const seed of [1, 2, 3]) {
    const nodes = await Nodes.started(seed, 1 + seed)
    const before = nodes.simulation.now
    await nodes.settle(Promise.all(nodes.all.map(({ broker }) => broker.close())), 30_000)
    assert.ok(nodes.simulation.now - before < 1500, `${nodes.simulation.now - before} ms`)
    for (const node of nodes.all) await assertNothingLeft(nodes, node)
  }
})

test('a node that is still looking for its cluster can be closed', async () => {
  const nodes = new Nodes(1)
  nodes.simulation.host('10.0.0.9')
  const node = nodes.add({ base: ['10.0.0.9:7979'] })
  const started = assert.rejects(node.broker.start(), { code: 'CLOSED' })
  await nodes.simulation.run(3000)
  assert.equal(node.broker.ready, false)
  await nodes.settle(node.broker.close(), 30_000)
  await nodes.settle(started, 30_000)
  await assertNothingLeft(nodes, node)
})

test('closing twice is closing once, and nothing can be asked of a closed node', async () => {
  const nodes = await Nodes.started(1, 2)
  const node = nodes.at(1)
  const closing = node.broker.close()
  assert.equal(node.broker.close(), closing)
  assert.equal(node.broker.ready, false)
  await nodes.settle(closing, 30_000)
  const claimed = node.broker.claim('x', { takenOver: () => {} })
  await nodes.settle(assert.rejects(claimed, { code: 'CLOSED' }), 60_000)
  const subscribed = new Client().subscribe(node, 'a/#')
  await nodes.settle(assert.rejects(subscribed), 60_000)
})
