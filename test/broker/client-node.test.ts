import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Device, Nodes } from './nodes.ts'

for (const seed of [1, 2, 3]) {
  test(`clients of nodes that own nothing publish, subscribe and get retained messages (seed ${seed})`, async () => {
    const nodes = await Nodes.started(seed, 2)
    const gateways = [await nodes.join({ client: true }), await nodes.join({ client: true })]
    for (const node of nodes.all) {
      const { members, ring } = node.broker.status()
      assert.equal(ring.nodes, 2)
      for (const { client, share } of members) assert.equal(client, share === 0)
    }
    const topics = [nodes.topicOf(nodes.at(0), 'c/'), nodes.topicOf(nodes.at(1), 'c/')]
    for (const from of nodes.all) {
      const device = new Device(from)
      const listeners = []
      for (const gateway of gateways)
        for (const filter of [...topics, 'c/+']) listeners.push(await nodes.subscribe(gateway, filter))
      for (const topic of topics) device.publish(topic, from.name, { retain: true })
      await nodes.simulation.run(200)
      assert.deepEqual([...device.reasons.values()], [0, 0])
      assert.deepEqual(
        listeners.map(({ got }) => got.length),
        [1, 1, 2, 1, 1, 2]
      )
      for (const gateway of gateways)
        for (const listener of listeners) gateway.broker.unsubscribeAll(listener)
    }
    const late = await nodes.subscribe(gateways[1]!, '#')
    await nodes.settle(gateways[1]!.broker.sendRetained(late.subscription!), 10_000)
    assert.deepEqual(late.retained, topics.map(topic => `${topic}=${gateways[1]!.name}`).sort())
  })

  test(`nodes that own nothing lose nothing when owners join and leave (seed ${seed})`, async () => {
    const nodes = await Nodes.started(seed, 2)
    const [from, to] = [await nodes.join({ client: true }), await nodes.join({ client: true })]
    const client = await nodes.subscribe(to, 'c/#')
    const device = new Device(from)
    let busy = true
    const speak = (): void => {
      if (!busy) return
      device.publish(`c/${device.sent % 20}`, `${device.sent}`)
      nodes.simulation.after(5, speak)
    }
    speak()
    await nodes.join()
    await nodes.leave(nodes.at(0))
    await nodes.simulation.run(500)
    busy = false
    await nodes.simulation.until(() => device.isAcknowledged, 10_000)
    await nodes.simulation.run(1000)
    assert.equal(client.got.length, device.sent)
    assert.equal(new Set(client.texts).size, device.sent)
  })
}
