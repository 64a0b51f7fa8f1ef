import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Device, Nodes } from './nodes.ts'

const SUCCESS = 0x00
const NO_SUBSCRIBERS = 0x10

for (const seed of [1, 2, 3]) {
  test(`a publisher is told of no matching subscribers when the whole cluster has none, and only then (seed ${seed})`, async () => {
    const nodes = await Nodes.started(seed, 3)
    const reason = async (from: Device, topic: string): Promise<number | undefined> => {
      from.publish(topic, 'x')
      await nodes.simulation.until(() => from.isAcknowledged, 5000)
      return from.reasons.get(from.sent)
    }
    for (const owner of nodes.all) {
      const topic = nodes.topicOf(owner)
      for (const from of nodes.all.map(node => new Device(node))) {
        assert.equal(await reason(from, topic), NO_SUBSCRIBERS)
        for (const node of nodes.all) {
          for (const filter of [topic, '+/+', '#']) {
            const client = await nodes.subscribe(node, filter)
            assert.equal(await reason(from, topic), SUCCESS)
            assert.equal(client.got.length, 1)
            node.broker.unsubscribeAll(client)
            await nodes.simulation.run(100)
          }
        }
        assert.equal(await reason(from, topic), NO_SUBSCRIBERS)
      }
    }
  })
}
