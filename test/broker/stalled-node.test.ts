import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { test } from 'node:test'
import { Device, type Node, Nodes } from './nodes.ts'

test('publishers wait no longer than a second for a node that stands still', async () => {
  for (const seed of [1, 2, 3]) {
    const nodes = await Nodes.started(seed, 3, { linkBufferBytesMax: 1024 * 1024 })
    const [owner, still, other] = nodes.all as [Node, Node, Node]
    const topic = nodes.topicOf(owner)
    await nodes.subscribe(still, topic)
    const fine = await nodes.subscribe(other, topic)
    const device = new Device(owner)
    still.host.pause()
    let waits = false
    let [lastAt, gapMax, count] = [0, 0, 0]
    for (let ms = 0; ms < 4000; ms++) {
      for (let i = 0; i < 10 && !waits; i++) {
        if (device.publish(topic, Buffer.alloc(1000), { qos: 0 })) continue
        waits = true
        owner.broker.whenDrained(() => {
          waits = false
        })
      }
      await nodes.simulation.run(1)
      if (fine.got.length === count) continue
      gapMax = Math.max(gapMax, ms - lastAt)
      lastAt = ms
      count = fine.got.length
    }
    assert.ok(gapMax <= 1010, `nothing for ${gapMax} ms (seed ${seed})`)
  }
})

test('the row of a node that stands still is bounded, for a publisher that heeds what publish says', async () => {
  const publishWindow = 1000
  const nodes = await Nodes.started(1, 2, { publishWindow })
  const [owner, still] = nodes.all as [Node, Node]
  const topic = nodes.topicOf(owner)
  await nodes.subscribe(still, topic)
  const device = new Device(owner)
  still.host.pause()
  let waits = false
  for (let ms = 0; ms < 3000; ms++) {
    for (let i = 0; i < 10 && !waits; i++) {
      if (device.publish(topic, 'x')) continue
      waits = true
      owner.broker.whenDrained(() => {
        waits = false
      })
    }
    await nodes.simulation.run(1)
  }
  const { deliveries } = owner.broker.status().waiting
  assert.ok(deliveries <= publishWindow + 10, `${deliveries} wait`)
})
