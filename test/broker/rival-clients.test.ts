import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ClientHolder } from '../../broker/sessions/registry.ts'
import { Nodes } from './nodes.ts'

class Connection implements ClientHolder {
  isOpen = true
  isGranted = false

  takenOver(): void {
    this.isOpen = false
  }
}

for (const skewMs of [5, 300]) {
  test(`the connection that comes later stays, though the clock of its node is ${skewMs} ms behind`, async () => {
    const nodes = await Nodes.started(1, 3)
    nodes.at(0).host.wallSkewMs = skewMs
    for (let id = 0; id < 10; id++) {
      const [older, newer] = [new Connection(), new Connection()]
      await nodes.settle(nodes.at(0).broker.claim(`client ${id}`, older), 15_000)
      await nodes.settle(nodes.at(1).broker.claim(`client ${id}`, newer), 15_000)
      assert.deepEqual([older.isOpen, newer.isOpen], [false, true], `client ${id}`)
    }
  })
}

for (const seed of [1, 2, 3, 4, 5, 6]) {
  test(`of many that claim a client id at once, never two have it (seed ${seed})`, async () => {
    const nodes = await Nodes.started(seed, 3)
    const connections: Connection[] = []
    for (let number = 0; number < 40; number++) {
      const connection = new Connection()
      connections.push(connection)
      void nodes
        .at(number % 3)
        .broker.claim('one', connection)
        .then(() => {
          connection.isGranted = true
          const holders = connections.filter(({ isOpen, isGranted }) => isOpen && isGranted)
          assert.ok(holders.length <= 1, `${holders.length} have it`)
        })
      await nodes.simulation.run(nodes.simulation.random.integer(20))
    }
    await nodes.simulation.run(1000)
    assert.equal(connections.filter(({ isOpen }) => isOpen).length, 1)
  })
}
