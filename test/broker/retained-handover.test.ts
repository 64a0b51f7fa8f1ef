import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Client, Device, type Node, Nodes } from './nodes.ts'

async function retainedAt(nodes: Nodes, node: Node): Promise<string[]> {
  const client = await nodes.subscribe(node, 'r/#')
  await nodes.settle(node.broker.sendRetained(client.subscription!), 30_000)
  return client.retained
}

test('a graceful leave hands over more retained messages than fit the buffer of a link', async () => {
  const nodes = await Nodes.started(1, 1, { linkBufferBytesMax: 256 * 1024 })
  const device = new Device(nodes.at(0))
  for (let i = 0; i < 400; i++) device.publish(`r/${i}`, 'x'.repeat(10_000), { retain: true })
  await nodes.join()
  assert.equal((await retainedAt(nodes, nodes.at(1))).length, 400)
  await nodes.leave(nodes.at(0))
  assert.equal((await retainedAt(nodes, nodes.at(0))).length, 400)
})

test('a graceful leave hands over retained messages with large properties', async () => {
  const nodes = await Nodes.started(1, 1)
  const device = new Device(nodes.at(0))
  const properties = new Uint8Array(64_000)
  for (let i = 0; i < 600; i++) device.publish(`r/${i}`, 'x', { retain: true, properties })
  await nodes.join()
  await nodes.leave(nodes.at(0))
  assert.equal(nodes.at(0).broker.status().retained, 600)
})

for (const seed of [1, 2, 3, 4, 5]) {
  test(`a subscriber gets every retained message once also while a node joins (seed ${seed})`, async () => {
    const nodes = await Nodes.started(seed, 2)
    const device = new Device(nodes.at(0))
    for (let i = 0; i < 50; i++) device.publish(`r/${i}`, 'x', { retain: true })
    await nodes.simulation.until(() => device.isAcknowledged, 5000)
    const clients: Client[] = []
    let scans = 0
    let serves = false
    void nodes
      .add()
      .broker.start()
      .then(() => {
        serves = true
      })
    for (let number = 0; number < 400 || !serves; number++) {
      const client = new Client()
      const { broker } = nodes.at(number % 2)
      clients.push(client)
      scans++
      void client
        .subscribe(nodes.at(number % 2), number % 3 === 0 ? 'r/+' : `r/${number % 50}`)
        .then(() => broker.sendRetained(client.subscription!))
        .then(() => scans--)
      await nodes.simulation.run(1)
    }
    await nodes.simulation.until(() => scans === 0, 20_000)
    for (const { retained, subscription } of clients) {
      const { filter } = subscription!
      assert.equal(retained.length, filter === 'r/+' ? 50 : 1, filter)
      assert.equal(new Set(retained).size, retained.length, `twice of ${filter}`)
    }
  })
}
