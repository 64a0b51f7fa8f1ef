import assert from 'node:assert/strict'
import { test } from 'node:test'
import { packetsOf } from '../../support/runs.ts'
import { Bench } from './harness.ts'

test('a queue is kept for as long as messages wait in it, and then given back', async () => {
  const bench = new Bench()
  const { transport, send } = await bench.connected(5, { properties: { receiveMaximum: 1 } })
  const publisher = await bench.connected()
  send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 't', qos: 1 }] })
  await bench.clock.run()
  const { deliveries } = transport.connection!
  const large = Buffer.alloc(500_000)
  for (let id = 1; id <= 3; id++) publisher.connection.onData(packetsOf('t', [large], 1, 4, id))
  await bench.clock.advance(1100)
  assert.equal(deliveries.queue?.count, 2)
  for (let round = 0; round < 3; round++) {
    for (const packet of transport.packets(5))
      if (packet.cmd === 'publish') send({ cmd: 'puback', messageId: packet.messageId! })
    await bench.clock.run()
  }
  assert.equal(deliveries.inflight!.count, 0)
  await bench.clock.advance(1100)
  assert.equal(deliveries.queue, null)
})
