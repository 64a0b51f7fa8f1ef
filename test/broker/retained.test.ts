import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Client, Device, type Node, Nodes } from './nodes.ts'

const seeds = [1, 2, 3]

/** What a new subscriber at the node is given, as `topic=text`, sorted. */
async function retainedAt(nodes: Nodes, node: Node, filter: string): Promise<string[]> {
  const client = await nodes.subscribe(node, filter)
  await nodes.settle(node.broker.sendRetained(client.subscription!), 30_000)
  node.broker.unsubscribeAll(client)
  return client.retained
}

async function assertRetained(nodes: Nodes, filter: string, expected: Map<string, string>): Promise<void> {
  const wanted = [...expected].map(([topic, text]) => `${topic}=${text}`).sort()
  for (const node of nodes.all) assert.deepEqual(await retainedAt(nodes, node, filter), wanted, node.name)
}

for (const seed of seeds) {
  test(`a retained message is set, replaced and cleared from any node, for all nodes (seed ${seed})`, async () => {
    const nodes = await Nodes.started(seed, 3)
    for (const owner of nodes.all) {
      const topic = nodes.topicOf(owner, 'kept/')
      for (const [index, text] of ['first', 'second', '', 'third'].entries()) {
        const device = new Device(nodes.at(index % 3))
        device.publish(topic, text, { retain: true })
        await nodes.simulation.until(() => device.isAcknowledged, 5000)
        await assertRetained(nodes, topic, text === '' ? new Map() : new Map([[topic, text]]))
      }
    }
  })

  test(`a wildcard scan brings each topic of every owner once (seed ${seed})`, async () => {
    const nodes = await Nodes.started(seed, 4)
    const device = new Device(nodes.at(1))
    const expected = new Map<string, string>()
    for (let i = 0; i < 200; i++) {
      device.publish(`r/${i}`, `${i}`, { retain: true, qos: i % 2 === 0 ? 0 : 1 })
      expected.set(`r/${i}`, `${i}`)
    }
    device.publish('other/1', 'not asked for', { retain: true })
    device.publish('$hidden/1', 'not for wildcards', { retain: true })
    await nodes.simulation.run(1000)
    const owners = new Set([...expected.keys()].map(topic => nodes.at(0).broker.ownerOf(topic)))
    assert.equal(owners.size, 4)
    await assertRetained(nodes, 'r/+', expected)
    await assertRetained(nodes, 'r/#', expected)
  })

  test(`joins and graceful leaves lose and duplicate no retained message (seed ${seed})`, async () => {
    const nodes = await Nodes.started(seed, 2)
    const expected = new Map<string, string>()
    let version = 0
    const change = async (): Promise<void> => {
      version++
      const devices = nodes.all.map(node => new Device(node))
      for (let i = 0; i < 60; i++) {
        if (nodes.simulation.random.next() < 0.5) continue
        const topic = `r/${i}`
        const text = nodes.simulation.random.next() < 0.2 ? '' : `version ${version}`
        devices[nodes.simulation.random.integer(devices.length)]!.publish(topic, text, { retain: true })
        if (text === '') expected.delete(topic)
        else expected.set(topic, text)
      }
      await nodes.simulation.until(() => devices.every(device => device.isAcknowledged), 10_000)
    }
    for (let round = 0; round < 3; round++) {
      await change()
      await nodes.join()
      await change()
      await assertRetained(nodes, '#', expected)
      await nodes.leave(nodes.random())
      await assertRetained(nodes, '#', expected)
    }
  })

  test(`what is retained while a node joins is neither lost nor undone (seed ${seed})`, async () => {
    const nodes = await Nodes.started(seed, 2)
    const device = new Device(nodes.at(0))
    const expected = new Map<string, string>()
    const node = nodes.add()
    let serves = false
    void node.broker.start().then(() => {
      serves = true
    })
    for (let version = 0; !serves || version % 50 !== 0; version++) {
      const topic = `r/${version % 40}`
      device.publish(topic, `${version}`, { retain: true })
      expected.set(topic, `${version}`)
      await nodes.simulation.run(20)
    }
    await nodes.simulation.until(() => device.isAcknowledged, 10_000)
    await assertRetained(nodes, 'r/+', expected)
  })

  test(`after a partition the newest retained message and the newest clearing win (seed ${seed})`, async () => {
    const nodes = await Nodes.started(seed, 4)
    const [a, b, c, d] = nodes.all as [Node, Node, Node, Node]
    const [left, right] = [new Device(a), new Device(d)]
    for (let i = 0; i < 40; i++) left.publish(`r/${i}`, 'before', { retain: true })
    await nodes.simulation.run(1000)
    nodes.simulation.partition([a.name, b.name], [c.name, d.name])
    await nodes.simulation.run(20_000)
    const expected = new Map<string, string>()
    const say = (device: Device, i: number, text: string): void => {
      device.publish(`r/${i}`, text, { retain: true })
      if (text === '') expected.delete(`r/${i}`)
      else expected.set(`r/${i}`, text)
    }
    for (let i = 0; i < 40; i++) say(i % 2 === 0 ? left : right, i, 'once')
    await nodes.simulation.run(1000)
    for (let i = 0; i < 40; i++) if (i % 4 < 2) say(i % 2 === 0 ? right : left, i, i % 8 < 4 ? 'twice' : '')
    await nodes.simulation.run(1000)
    nodes.simulation.heal()
    await nodes.simulation.run(120_000)
    await assertRetained(nodes, 'r/+', expected)
  })
}

test('a subscriber gets the retained message or the live one that replaced it, and never the older one last', async () => {
  for (const seed of [1, 2, 3, 4, 5]) {
    const nodes = await Nodes.started(seed, 3)
    const topic = nodes.topicOf(nodes.at(0))
    const device = new Device(nodes.at(1))
    const clients: Client[] = []
    for (let number = 1; number <= 100; number++) {
      device.publish(topic, `${number}`, { retain: true })
      const client = new Client()
      clients.push(client)
      const { broker } = nodes.at(2)
      void client.subscribe(nodes.at(2), topic).then(() => broker.sendRetained(client.subscription!))
      await nodes.simulation.run(nodes.simulation.random.integer(4))
    }
    await nodes.simulation.run(2000)
    for (const { texts } of clients) {
      const numbers = texts.map(Number)
      assert.deepEqual(
        numbers,
        [...new Set(numbers)].sort((x, y) => x - y),
        `seed ${seed}`
      )
      assert.equal(numbers.at(-1), 100, `seed ${seed}`)
    }
  }
})
