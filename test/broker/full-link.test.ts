import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Device, type Node, Nodes } from './nodes.ts'

const linkBufferBytesMax = 256 * 1024

for (const seed of [1, 2, 3]) {
  test(`what waits for room on a link is not overtaken by what comes when there is some again (seed ${seed})`, async () => {
    const nodes = await Nodes.started(seed, 2, { linkBufferBytesMax })
    const [from, owner] = nodes.all as [Node, Node]
    const topic = nodes.topicOf(owner)
    const client = await nodes.subscribe(owner, topic)
    const device = new Device(from)
    const say = (): boolean => device.publish(topic, `${device.sent + 1} ${'x'.repeat(10_000)}`)
    owner.host.pause()
    for (let i = 0; i < 60; i++) say()
    await nodes.simulation.run(100)
    for (let i = 0; i < 60; i++) say()
    owner.host.resume()
    for (let ms = 0; ms < 300; ms++) {
      say()
      await nodes.simulation.run(0.5)
    }
    await nodes.simulation.until(() => device.isAcknowledged, 30_000)
    await nodes.simulation.run(1000)
    const numbers = client.texts.map(text => Number.parseInt(text, 10))
    assert.deepEqual(
      numbers,
      Array.from({ length: device.sent }, (_, index) => index + 1)
    )
  })

  test(`a link that breaks with more unacknowledged than fits its buffer comes back (seed ${seed})`, async () => {
    const nodes = await Nodes.started(seed, 3, { linkBufferBytesMax })
    const [from, owner, other] = nodes.all as [Node, Node, Node]
    const topic = nodes.topicOf(owner)
    const client = await nodes.subscribe(other, topic)
    const device = new Device(from)
    nodes.simulation.block([owner.name], [from.name])
    for (let i = 0; i < 1500; i++) {
      device.publish(topic, `${i} ${'x'.repeat(2000)}`)
      if (i % 20 === 0) await nodes.simulation.run(1)
    }
    await nodes.simulation.run(9000)
    nodes.simulation.heal()
    await nodes.simulation.run(20_000)
    assert.equal(from.broker.status().links.find(({ id }) => id === owner.broker.id)?.state, 'up')
    assert.equal(device.reasons.size, 1500, 'acknowledged')
    const numbers = client.texts.map(text => Number.parseInt(text, 10))
    assert.deepEqual(
      numbers,
      Array.from({ length: 1500 }, (_, index) => index)
    )
  })
}
