// Sessions across nodes: wherever the client is, and wherever its session is.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { SessionWill } from '../../broker/sessions/will.ts'
import { Device, type Node, Nodes } from './nodes.ts'
import { Memory, SessionConnection } from './session-clients.ts'

const seeds = [1, 2, 3]

/** So that owner, old and new node differ in all ways. */
const clientIds = Array.from({ length: 12 }, (_, i) => `client ${i}`)

function willOn(topic: string, delaySeconds: number): SessionWill {
  return { topic, payload: Buffer.from('gone'), qos: 1, retain: false, properties: null, delaySeconds }
}

async function published(nodes: Nodes, device: Device, topic: string, texts: string[]): Promise<void> {
  for (const text of texts) device.publish(topic, text, { qos: 2 })
  await nodes.simulation.until(() => device.isAcknowledged, 10_000)
}

for (const seed of seeds) {
  test(`a session is resumed on any node, with what waited and what was not acknowledged, in order (seed ${seed})`, async () => {
    const nodes = await Nodes.started(seed, 3)
    const device = new Device(nodes.at(0))
    for (const [i, clientId] of clientIds.entries()) {
      const memory = new Memory(clientId)
      const first = await SessionConnection.open(nodes, nodes.at(i % 3), memory)
      assert.ok(!first.isPresent)
      await first.subscribe(nodes, `${clientId}/#`)
      await published(nodes, device, `${clientId}/a`, ['1', '2'])
      await nodes.simulation.run(100)
      first.acknowledges = false
      await published(nodes, device, `${clientId}/b`, ['3', '4'])
      await nodes.simulation.run(100)
      first.close()
      await published(nodes, device, `${clientId}/b`, ['5', '6'])
      const second = await SessionConnection.open(nodes, nodes.at((i >> 1) % 3), memory)
      assert.ok(second.isPresent)
      await nodes.simulation.run(100)
      assert.deepEqual(memory.got, ['1', '2', '3', '4', '5', '6'])
      // 5 and 6 too, if they were on their way when the connection closed.
      assert.deepEqual(second.dups.slice(0, 2), ['3', '4'])
    }
    const hosted = nodes.all.map(({ broker }) => broker.status().sessions)
    assert.equal(
      hosted.reduce((sum, count) => sum + count),
      clientIds.length
    )
    assert.ok(
      hosted.every(count => count > 0),
      'every node hosts some'
    )
  })

  test(`a takeover loses and doubles nothing while messages flow (seed ${seed})`, async () => {
    const nodes = await Nodes.started(seed, 3)
    const device = new Device(nodes.random())
    const memories = clientIds.map(clientId => new Memory(clientId))
    const connections = new Map<Memory, SessionConnection>()
    for (const memory of memories) {
      const connection = await SessionConnection.open(nodes, nodes.random(), memory)
      await connection.subscribe(nodes, 'all')
      connections.set(memory, connection)
    }
    for (let n = 0; n < 100; n++) {
      device.publish('all', `${n}`, { qos: 2 })
      const memory = nodes.simulation.random.pick(memories)
      const older = connections.get(memory)!
      const newer = await SessionConnection.open(nodes, nodes.random(), memory)
      assert.ok(newer.isPresent && !older.isOpen)
      connections.set(memory, newer)
      await nodes.simulation.run(nodes.simulation.random.integer(20))
    }
    await nodes.simulation.run(2000)
    const expected = Array.from({ length: 100 }, (_, n) => `${n}`)
    for (const { got } of memories) assert.deepEqual(got, expected)
  })

  test(`a publish of QoS 2 that is said again on another node is published once (seed ${seed})`, async () => {
    const nodes = await Nodes.started(seed, 3)
    const listener = await nodes.subscribe(nodes.at(0), 'said', 2)
    for (const clientId of clientIds) {
      const memory = new Memory(clientId)
      const first = await SessionConnection.open(nodes, nodes.random(), memory)
      first.acknowledges = false
      first.say(7, 'said', clientId)
      await nodes.simulation.run(nodes.simulation.random.integer(10))
      first.close()
      const second = await SessionConnection.open(nodes, nodes.random(), memory)
      if (!first.received.includes(7)) second.say(7, 'said', clientId)
      else second.attachment!.pubrel(7)
      await nodes.simulation.until(() => second.completed.includes(7), 5000)
    }
    assert.deepEqual(listener.texts, clientIds)
  })

  test(`when the node of a client dies its session waits for it, and its will for its delay (seed ${seed})`, async () => {
    const nodes = await Nodes.started(seed, 3)
    const dying = nodes.at(2)
    const device = new Device(nodes.at(0))
    const wills = await nodes.subscribe(nodes.at(0), 'wills/#')
    const memories: Memory[] = []
    for (const clientId of clientIds) {
      const key = ownerOfSession(nodes, clientId)
      if (key === dying.broker.id) continue
      const memory = new Memory(clientId)
      memories.push(memory)
      const delaySeconds = memories.length % 2 === 0 ? 0 : 3600
      const will = willOn(`wills/${clientId}`, delaySeconds)
      const connection = await SessionConnection.open(nodes, dying, memory, { will })
      await connection.subscribe(nodes, 'news')
    }
    dying.host.crash()
    await nodes.simulation.until(() => wills.texts.length === memories.length >> 1, 30_000)
    await published(nodes, device, 'news', ['1', '2'])
    for (const memory of memories) {
      const connection = await SessionConnection.open(nodes, nodes.at(1), memory)
      assert.ok(connection.isPresent, memory.clientId)
      await nodes.simulation.run(100)
      assert.deepEqual(memory.got, ['1', '2'])
    }
    assert.equal(wills.texts.length, memories.length >> 1)
  })

  test(`when the owner of a session dies its client is told to come again, and begins anew (seed ${seed})`, async () => {
    const nodes = await Nodes.started(seed, 3)
    const dying = nodes.at(2)
    for (const clientId of clientIds) {
      if (ownerOfSession(nodes, clientId) !== dying.broker.id) continue
      const memory = new Memory(clientId)
      const connection = await SessionConnection.open(nodes, nodes.at(0), memory)
      dying.host.crash()
      await nodes.simulation.until(() => connection.isLost, 30_000)
      const again = await SessionConnection.open(nodes, nodes.at(1), memory)
      assert.ok(!again.isPresent)
      return
    }
  })

  test(`the will of a client whose session ends with its connection outlives its node (seed ${seed})`, async () => {
    const nodes = await Nodes.started(seed, 3)
    const wills = await nodes.subscribe(nodes.at(0), 'wills/#')
    const dying = nodes.at(2)
    let count = 0
    for (const clientId of clientIds) {
      if (ownerOfSession(nodes, clientId) === dying.broker.id) continue
      count++
      const holder = { takenOver: () => {} }
      await nodes.settle(dying.broker.claim(clientId, holder, willOn(`wills/${clientId}`, 0)), 10_000)
    }
    dying.host.crash()
    await nodes.simulation.until(() => wills.texts.length === count, 30_000)
    assert.ok(count > 0)
  })
}

for (const seed of seeds) {
  test(`sessions move when nodes join and leave, while they are in use; their clients notice nothing (seed ${seed})`, async () => {
    const nodes = await Nodes.started(seed, 2)
    const { simulation } = nodes
    const device = new Device(nodes.at(0))
    const connections: SessionConnection[] = []
    const away: Memory[] = []
    for (let i = 0; i < 40; i++) {
      const memory = new Memory(`client ${i}`)
      const connection = await SessionConnection.open(nodes, nodes.at(i % 2), memory)
      await connection.subscribe(nodes, i % 3 === 0 ? 'news/+' : 'news/all')
      if (i % 4 > 0) connections.push(connection)
      else {
        away.push(memory)
        connection.close(false)
      }
    }
    let isOver = false
    let count = 0
    const saying = (async () => {
      while (!isOver) {
        device.publish('news/all', `${count++}`, { qos: count % 2 === 0 ? 1 : 2 })
        for (const connection of connections)
          if (count % 10 === 0) connection.say(count, 'said', `${connection.memory.clientId} ${count}`)
        await new Promise<void>(resolve => nodes.at(0).broker.clock.after(5, resolve))
      }
    })()
    const listener = await nodes.subscribe(nodes.at(0), 'said', 2)
    const third = await nodes.join()
    await simulation.run(2000)
    assert.ok(third.broker.status().sessions > 0, 'some have moved')
    const fourth = await nodes.join()
    await simulation.run(1000)
    await nodes.leave(third)
    await simulation.run(1000)
    assert.ok(fourth.broker.status().sessions > 0)
    isOver = true
    await nodes.settle(saying, 1000)
    await simulation.until(() => device.isAcknowledged, 20_000)
    for (const memory of away) connections.push(await SessionConnection.open(nodes, nodes.random(), memory))
    await simulation.run(5000)
    const expected = Array.from({ length: count }, (_, n) => `${n}`)
    for (const { memory, isLost, isPresent } of connections) {
      assert.ok(!isLost, `${memory.clientId} was lost`)
      assert.ok(!away.includes(memory) || isPresent)
      assert.deepEqual(memory.got, expected, memory.clientId)
    }
    assert.deepEqual(new Set(listener.texts).size, listener.texts.length, 'nothing said twice')
    for (const { received, completed } of connections) assert.deepEqual(received, completed)
    const hosted = nodes.all.map(({ broker }) => broker.status().sessions)
    assert.equal(
      hosted.reduce((sum, each) => sum + each),
      40
    )
  })
}

/** Session keys are hashed as topics of the same name are. */
function ownerOfSession(nodes: Nodes, clientId: string): string | null {
  return nodes.at(0).broker.ownerOf(`$session/${clientId}`)
}

test('a session ends where a client of its id begins one that ends with the connection', async () => {
  const nodes = await Nodes.started(1, 2)
  for (const clientId of clientIds) {
    const memory = new Memory(clientId)
    const connection = await SessionConnection.open(nodes, nodes.at(0), memory)
    await connection.subscribe(nodes, 'x')
    const holder = { takenOver: () => {} }
    const { broker } = nodes.at(1)
    if (!broker.tryClaim(clientId, holder)) await nodes.settle(broker.claim(clientId, holder), 10_000)
    assert.ok(!connection.isOpen)
    broker.release(clientId, holder)
  }
  await nodes.simulation.run(100)
  assert.deepEqual(
    nodes.all.map(({ broker }) => [broker.status().sessions, broker.status().subscriptions]),
    [
      [0, 0],
      [0, 0]
    ]
  )
})

test('a client is refused where there are as many sessions as may be', async () => {
  const nodes = await Nodes.started(1, 1, { sessionsMax: 1 })
  const node: Node = nodes.at(0)
  await SessionConnection.open(nodes, node, new Memory('one'))
  await assert.rejects(SessionConnection.open(nodes, node, new Memory('two')), { code: 'LIMIT_EXCEEDED' })
})
