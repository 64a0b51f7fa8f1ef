import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { test } from 'node:test'
import { Device, type Node, Nodes } from './nodes.ts'

const linkBufferBytesMax = 256 * 1024

test('for a node that stands still QoS 0 is dropped and counted within its bounds, and it serves again afterwards', async () => {
  for (const seed of [1, 2, 3]) {
    const nodes = await Nodes.started(seed, 3, { linkBufferBytesMax })
    const [owner, still, other] = nodes.all as [Node, Node, Node]
    const topic = nodes.topicOf(owner)
    const missing = await nodes.subscribe(still, topic)
    const fine = await nodes.subscribe(other, topic)
    const device = new Device(owner)
    still.host.pause()
    let bufferedMax = 0
    let waits = false
    let said = 0
    const say = (text: string | Uint8Array): void => {
      said++
      if (device.publish(topic, text, { qos: 0 })) return
      waits = true
      owner.broker.whenDrained(() => {
        waits = false
      })
    }
    for (let ms = 0; ms < 3000; ms++) {
      for (let i = 0; i < 3 && !waits; i++) say(Buffer.alloc(1000))
      await nodes.simulation.run(1)
      for (const { buffered } of owner.broker.status().links) bufferedMax = Math.max(bufferedMax, buffered)
    }
    await nodes.simulation.run(10)
    assert.ok(bufferedMax <= linkBufferBytesMax + 2000, `${bufferedMax} bytes waited`)
    assert.equal(fine.got.length, said, 'the other node misses nothing')
    still.host.resume()
    await nodes.simulation.run(3000)
    const dropped = owner.broker.status().counters['droppedLinkFull']!
    assert.ok(dropped > 0)
    assert.equal(missing.got.length + dropped, said, 'what did not arrive was counted')
    device.publish(topic, 'again', { qos: 0 })
    await nodes.simulation.run(100)
    assert.equal(missing.texts.at(-1), 'again')
  }
})

test('QoS 1 for a node that stands still waits for it, and the others get it at once', async () => {
  const nodes = await Nodes.started(1, 3)
  const [owner, still, other] = nodes.all as [Node, Node, Node]
  const topic = nodes.topicOf(owner)
  const late = await nodes.subscribe(still, topic)
  const fine = await nodes.subscribe(other, topic)
  const device = new Device(owner)
  still.host.pause()
  for (let i = 0; i < 100; i++) device.publish(topic, `${i}`)
  await nodes.simulation.run(1000)
  assert.equal(fine.got.length, 100)
  assert.equal(device.acknowledgements, 0)
  still.host.resume()
  await nodes.simulation.run(1000)
  assert.deepEqual(late.texts, fine.texts)
  assert.equal(device.acknowledgements, 100)
})
