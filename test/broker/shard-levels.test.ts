import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Device, Nodes } from './nodes.ts'

test('topics that share their first levels share an owner, and everything works as without', async () => {
  for (const shardLevels of [1, 2]) {
    const nodes = await Nodes.started(shardLevels, 3, { shardLevels })
    const { broker } = nodes.at(0)
    for (let i = 0; i < 20; i++) {
      const prefix = shardLevels === 1 ? `${i}` : `${i}/a`
      assert.equal(broker.ownerOf(`${prefix}/x`), broker.ownerOf(`${prefix}/y/z`))
      assert.equal(broker.ownerOf(prefix), broker.ownerOf(`${prefix}/y/z`))
    }
    const clients = []
    for (const node of nodes.all)
      for (const filter of ['2/a/x', '+/a/#', '7']) clients.push(await nodes.subscribe(node, filter))
    const device = new Device(nodes.at(1))
    const topics = Array.from({ length: 12 }, (_, i) => (i % 4 === 3 ? `${i}` : `${i}/a/x`))
    for (const topic of topics) device.publish(topic, topic, { retain: true })
    await nodes.simulation.run(500)
    assert.ok(device.isAcknowledged)
    for (let n = 0; n < 3; n++)
      assert.deepEqual(
        clients.slice(3 * n, 3 * n + 3).map(c => c.got.length),
        [1, 9, 1]
      )
    await nodes.join()
    await nodes.leave(nodes.at(0))
    for (const node of nodes.all) {
      const client = await nodes.subscribe(node, '#')
      await nodes.settle(node.broker.sendRetained(client.subscription!), 10_000)
      assert.deepEqual(client.retained, topics.map(topic => `${topic}=${topic}`).sort())
    }
  }
})
