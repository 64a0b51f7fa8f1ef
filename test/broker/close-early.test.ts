import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Nodes } from './nodes.ts'

test('a node that is closed while it binds its ports leaves none of them open', async () => {
  const nodes = new Nodes(1)
  const node = nodes.add()
  const started = assert.rejects(node.broker.start(), { code: 'CLOSED' })
  await nodes.settle(node.broker.close(), 20_000)
  await nodes.settle(started, 20_000)
  await nodes.simulation.run(20_000)
  assert.equal(node.host.openSockets, 0, 'sockets')
  assert.equal(node.host.openTimers, 0, 'timers')
})
