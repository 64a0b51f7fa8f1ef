import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ClientHolder } from '../../broker/sessions/registry.ts'
import { type Node, Nodes } from './nodes.ts'

/** Nodes tell each other every second how far their clocks are. */
const pauseMs = 1500

const seeds = [1, 2, 3]

class Connection implements ClientHolder {
  isOpen = true

  takenOver(): void {
    this.isOpen = false
  }
}

async function connect(nodes: Nodes, node: Node, clientId: string): Promise<Connection> {
  const connection = new Connection()
  await nodes.settle(node.broker.claim(clientId, connection), 15_000)
  return connection
}

for (const seed of seeds) {
  test(`the older connection is closed before the newer is granted, wherever both are (seed ${seed})`, async () => {
    const nodes = await Nodes.started(seed, 3)
    for (let id = 0; id < 10; id++) {
      const connections: Connection[] = []
      for (let n = 0; n < 6; n++) {
        connections.push(await connect(nodes, nodes.random(), `client ${id}`))
        assert.ok(connections[n]!.isOpen, 'the newer')
        assert.ok(n === 0 || !connections[n - 1]!.isOpen, 'the older')
        await nodes.simulation.run(pauseMs)
      }
    }
    assert.equal(
      nodes.all.reduce((sum, { broker }) => sum + broker.status().clients, 0),
      10
    )
  })

  test(`claims outlive a change of the ring (seed ${seed})`, async () => {
    const nodes = await Nodes.started(seed, 2)
    const held: Connection[] = []
    for (let id = 0; id < 30; id++) held.push(await connect(nodes, nodes.at(id % 2), `client ${id}`))
    const third = await nodes.join()
    for (const [id, connection] of held.entries()) {
      assert.ok(connection.isOpen)
      const newer = await connect(nodes, third, `client ${id}`)
      assert.ok(!connection.isOpen && newer.isOpen, `client ${id}`)
    }
  })

  test(`of two connections on the two sides of a partition the newer stays (seed ${seed})`, async () => {
    const nodes = await Nodes.started(seed, 4)
    const names = nodes.all.map(({ name }) => name)
    nodes.simulation.partition(names.slice(0, 2), names.slice(2))
    await nodes.simulation.run(20_000)
    const older: Connection[] = []
    const newer: Connection[] = []
    for (let id = 0; id < 10; id++) older.push(await connect(nodes, nodes.at(id % 2), `client ${id}`))
    await nodes.simulation.run(1000)
    for (let id = 0; id < 10; id++) newer.push(await connect(nodes, nodes.at(2 + (id % 2)), `client ${id}`))
    nodes.simulation.heal()
    await nodes.simulation.run(120_000)
    assert.deepEqual(new Set(older.map(({ isOpen }) => isOpen)), new Set([false]))
    assert.deepEqual(new Set(newer.map(({ isOpen }) => isOpen)), new Set([true]))
  })

  test(`a holder whose node is gone stands in nobody's way (seed ${seed})`, async () => {
    const nodes = await Nodes.started(seed, 3)
    for (let id = 0; id < 10; id++) await connect(nodes, nodes.at(2), `client ${id}`)
    nodes.at(2).host.crash()
    for (let id = 0; id < 10; id++) assert.ok((await connect(nodes, nodes.at(0), `client ${id}`)).isOpen)
  })
}

test('a connection that has let go is not told of the next one', async () => {
  const nodes = await Nodes.started(1, 3)
  for (let id = 0; id < 20; id++) {
    const connection = await connect(nodes, nodes.at(0), `client ${id}`)
    nodes.at(0).broker.release(`client ${id}`, connection)
    await connect(nodes, nodes.at(1), `client ${id}`)
    assert.ok(connection.isOpen)
  }
  assert.deepEqual(
    nodes.all.map(({ broker }) => broker.status().clients),
    [0, 20, 0]
  )
})
