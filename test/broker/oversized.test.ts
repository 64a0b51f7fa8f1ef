import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Device, Nodes } from './nodes.ts'

const tooLarge = new Uint8Array(17 * 1024 * 1024)

test('a message too large for a link is refused to its publisher, and publish never throws', async () => {
  const nodes = await Nodes.started(1, 2)
  const device = new Device(nodes.at(0))
  device.publish(nodes.topicOf(nodes.at(1)), tooLarge)
  await nodes.simulation.run(1000)
  assert.ok(device.reasons.get(1)! >= 0x80)
  assert.equal(nodes.at(0).broker.status().waiting.publishes, 0)
})

test('a message too large for a link does not hold up those behind it', async () => {
  const nodes = await Nodes.started(1, 2)
  const topic = nodes.topicOf(nodes.at(0))
  const client = await nodes.subscribe(nodes.at(1), topic)
  const device = new Device(nodes.at(0))
  try {
    device.publish(topic, tooLarge)
  } catch {
    // The test above says that it must not.
  }
  for (const text of ['one', 'two']) device.publish(topic, text)
  await nodes.simulation.run(5000)
  assert.deepEqual(client.texts, ['one', 'two'])
})
