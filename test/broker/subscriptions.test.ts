import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Client, Device, Nodes } from './nodes.ts'

const seeds = [1, 2, 3]

for (const seed of seeds) {
  test(`what is published after a subscription is confirmed arrives, from every node (seed ${seed})`, async () => {
    const nodes = await Nodes.started(seed, 4)
    for (const owner of nodes.all) {
      const topic = nodes.topicOf(owner, 'sub/')
      for (const filter of [topic, 'sub/+', '#']) {
        const client = new Client()
        const node = nodes.random()
        await nodes.settle(client.subscribe(node, filter), 5000)
        for (const from of nodes.all) new Device(from).publish(topic, from.name)
        await nodes.simulation.run(100)
        assert.deepEqual(client.texts.toSorted(), nodes.all.map(({ name }) => name).toSorted(), filter)
        node.broker.unsubscribeAll(client)
      }
    }
  })

  test(`unsubscribing withdraws the route, and subscribing again brings it back (seed ${seed})`, async () => {
    const nodes = await Nodes.started(seed, 3)
    for (const filter of ['exact', 'some/+']) {
      const topic = filter === 'exact' ? nodes.topicOf(nodes.at(0)) : nodes.topicOf(nodes.at(0), 'some/')
      const client = new Client()
      const node = nodes.at(1)
      const wanted = filter === 'exact' ? topic : filter
      const sent = (): number => nodes.at(0).broker.status().counters['sentToNodes']!
      const say = async (text: string): Promise<number> => {
        const before = sent()
        new Device(nodes.at(0)).publish(topic, text)
        await nodes.simulation.run(100)
        return sent() - before
      }
      assert.equal(await nodes.settle(client.subscribe(node, wanted), 5000), false)
      assert.equal(await nodes.settle(client.subscribe(node, wanted), 5000), true)
      assert.equal(await say('one'), 1)
      assert.equal(node.broker.unsubscribe(client, wanted), true)
      assert.equal(node.broker.unsubscribe(client, wanted), false)
      await nodes.simulation.run(100)
      assert.equal(await say('two'), 0, 'no frame goes to a node without subscribers')
      node.broker.unsubscribe(client, wanted)
      await nodes.settle(client.subscribe(node, wanted), 5000)
      assert.equal(await say('three'), 1)
      assert.deepEqual(client.texts, ['one', 'three'])
      node.broker.unsubscribeAll(client)
      await nodes.simulation.run(100)
    }
  })

  test(`subscribing and unsubscribing in a row ends with what was asked for last (seed ${seed})`, async () => {
    const nodes = await Nodes.started(seed, 3)
    const { random } = nodes.simulation
    const topics = nodes.all.map(node => nodes.topicOf(node))
    const filters = [...topics, 't/+', '#']
    const clients = nodes.all.map(() => filters.map(() => new Client()))
    const wants = clients.map(row => row.map(() => false))
    for (let step = 0; step < 300; step++) {
      const [n, f] = [random.integer(3), random.integer(filters.length)]
      const client = clients[n]![f]!
      if (wants[n]![f]) nodes.at(n).broker.unsubscribe(client, filters[f]!)
      else void client.subscribe(nodes.at(n), filters[f]!)
      wants[n]![f] = !wants[n]![f]
      if (random.next() < 0.3) await nodes.simulation.run(random.integer(5))
    }
    await nodes.simulation.run(1000)
    for (const row of clients) for (const client of row) client.got.length = 0
    for (const [n, node] of nodes.all.entries()) new Device(node).publish(topics[(n + 1) % 3]!, 'now')
    await nodes.simulation.run(1000)
    for (const [n, row] of clients.entries()) {
      for (const [f, client] of row.entries()) {
        const wanted = !wants[n]![f] ? 0 : f < 3 ? 1 : 3
        assert.equal(client.got.length, wanted, `${filters[f]} at ${n}`)
      }
    }
  })

  test(`a subscription waits for an owner that does not answer, and stands once it does (seed ${seed})`, async () => {
    const nodes = await Nodes.started(seed, 3)
    const topic = nodes.topicOf(nodes.at(0))
    nodes.at(0).host.pause()
    const client = new Client()
    let confirmed = 0
    for (const filter of [topic, '#']) {
      void client.subscribe(nodes.at(1), filter).then(() => {
        confirmed++
      })
    }
    await nodes.simulation.run(1000)
    assert.equal(confirmed, 0)
    nodes.at(0).host.resume()
    await nodes.simulation.until(() => confirmed === 2, 5000)
    new Device(nodes.at(2)).publish(topic, 'x')
    await nodes.simulation.run(200)
    assert.deepEqual(client.texts, ['x'])
  })
}

test('an invalid filter is refused, and leaves nothing behind', async () => {
  const nodes = await Nodes.started(1, 2)
  const client = new Client()
  for (const filter of ['', 'a/#/b', 'a+', 'a\0b', `${'a/'.repeat(200)}`]) {
    await assert.rejects(client.subscribe(nodes.at(0), filter), { code: 'FILTER_INVALID' })
  }
  assert.equal(nodes.at(0).broker.status().subscriptions, 0)
})

test('a subscription to a dead owner is confirmed when another node has taken its place', async () => {
  for (const fault of ['crash', 'cut'] as const) {
    const nodes = await Nodes.started(1, 3)
    const topic = nodes.topicOf(nodes.at(2))
    nodes.at(2).host[fault]()
    const client = new Client()
    await nodes.settle(client.subscribe(nodes.at(1), topic), 20_000)
    new Device(nodes.at(0)).publish(topic, 'x')
    await nodes.simulation.run(10_000)
    assert.deepEqual(client.texts, ['x'], fault)
  }
})

test('nobody serves: a subscription is refused in the end, and a message waits for a node that does', async () => {
  const nodes = new Nodes(1)
  const gateway = await nodes.join({ client: true })
  const refused = new Client()
  await nodes.settle(assert.rejects(refused.subscribe(gateway, 'a/b'), { code: 'TIMEOUT' }), 40_000)
  const device = new Device(gateway)
  assert.equal(device.publish('a/c', 'x', { retain: true }), false)
  await nodes.join()
  await nodes.simulation.until(() => device.isAcknowledged, 10_000)
})
