import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Client, Device, Nodes } from './nodes.ts'

/** A join takes some hundred events; many more are a loop that leaves the processor no time. */
const JOIN_EVENTS_MAX = 3000

async function joined(nodes: Nodes): Promise<boolean> {
  const { simulation } = nodes
  let serves = false
  void nodes
    .add()
    .broker.start()
    .then(() => {
      serves = true
    })
  const before = simulation.events
  await simulation.until(() => serves || simulation.events - before > JOIN_EVENTS_MAX, 20_000).catch(() => {})
  return serves
}

test('a node joins a cluster that has more filters than fit the buffer of a link', async () => {
  const nodes = await Nodes.started(1, 1, { linkBufferBytesMax: 256 * 1024 })
  const client = new Client()
  const filter = (number: number): string => `a/filter/long/enough/to/be/of/a/device/${number}`
  for (let i = 0; i < 20_000; i++) void client.subscribe(nodes.at(0), `${filter(i)}/#`)
  await nodes.simulation.run(1000)
  assert.ok(await joined(nodes))
  const device = new Device(nodes.at(1))
  for (const number of [0, 7000, 19_999]) device.publish(filter(number), 'x')
  await nodes.simulation.until(() => device.isAcknowledged, 5000)
  assert.equal(client.got.length, 3)
})

test('a node joins a cluster with filters so long that 5,000 of them fit no frame', {
  timeout: 30_000
}, async () => {
  const nodes = await Nodes.started(1, 1)
  const client = new Client()
  const filter = (number: number): string => `${'x'.repeat(4000)}/${number}`
  for (let i = 0; i < 5000; i++) void client.subscribe(nodes.at(0), `${filter(i)}/#`)
  await nodes.simulation.run(1000)
  const before = nodes.simulation.events
  let serves = false
  void nodes
    .add()
    .broker.start()
    .then(() => {
      serves = true
    })
  // So many events would be a loop.
  await nodes.simulation
    .until(() => serves || nodes.simulation.events - before > 20_000, 20_000)
    .catch(() => {})
  assert.ok(serves)
  const device = new Device(nodes.at(1))
  device.publish(filter(4999), 'x')
  await nodes.simulation.until(() => device.isAcknowledged, 5000)
  assert.equal(client.got.length, 1)
})

test('subscriptions that end while the links are closing cause no loop', async () => {
  const nodes = await Nodes.started(1, 2, { closeTimeoutMs: 5000 })
  const { simulation } = nodes
  const client = await nodes.subscribe(nodes.at(0), 'a/#')
  nodes.at(1).host.pause()
  const before = simulation.events
  let closed = false
  void nodes
    .at(0)
    .broker.close()
    .then(() => {
      closed = true
    })
  for (let round = 0; round < 70; round++) {
    if (round % 2 === 0) nodes.at(0).broker.unsubscribeAll(client)
    else client.subscribe(nodes.at(0), 'a/#').catch(() => {})
    await simulation.until(() => simulation.events - before > 10_000, 100).catch(() => {})
  }
  assert.ok(closed)
  assert.ok(simulation.events - before < 10_000)
})
