// A client that publishes and does not read: its PUBACKs wait, and must not pile up.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { packetsOf } from '../../support/runs.ts'
import { Bench } from './harness.ts'

const receiveMaximum = 8
const ids = (packets: readonly { cmd: string; messageId?: number }[]): (number | undefined)[] =>
  packets.filter(({ cmd }) => cmd === 'puback').map(({ messageId }) => messageId)

test('a client of 3.1.1 that takes no PUBACKs is read no further than its Receive Maximum, and goes on when it takes them', async () => {
  const bench = new Bench({ receiveMaximum })
  const { transport, connection } = await bench.connected()
  transport.stuck = true
  const sent: number[] = []
  for (let id = 1; id <= 40; id += 4) {
    for (let i = id; i < id + 4; i++) sent.push(i)
    connection.onData(packetsOf('t', ['a', 'b', 'c', 'd'], 1, 4, id))
    await bench.clock.run()
  }
  assert.ok(transport.paused)
  assert.ok(connection.outbox.bytes < 100, `${connection.outbox.bytes} bytes of PUBACKs wait`)
  assert.ok(bench.gateway.counters.messagesIn <= 3 * receiveMaximum)
  const got = ids(transport.packets(4))
  for (let rounds = 0; rounds < 40; rounds++) {
    transport.take()
    await bench.clock.run()
    got.push(...ids(transport.packets(4)))
  }
  assert.deepEqual(got, sent)
  assert.equal(transport.paused, false)
})

test('what waits when a connection ends has its PUBACKs before it', async () => {
  const bench = new Bench()
  const { transport, connection, send } = await bench.connected()
  transport.stuck = true
  for (let id = 1; id <= 3; id++) {
    connection.onData(packetsOf('t', ['a'], 1, 4, id))
    await bench.clock.run()
  }
  send({ cmd: 'disconnect' })
  assert.deepEqual(ids(transport.packets(4)), [1, 2, 3])
  assert.ok(transport.ended)
})
