// QoS 2 of clients whose sessions end with their connections: once, both ways, whatever is repeated.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { IPublishPacket, Packet } from 'mqtt-packet'
import { Bench } from './harness.ts'

function publish(messageId: number, payload: string, dup = false): IPublishPacket {
  return { cmd: 'publish', topic: 't', payload, qos: 2, messageId, dup, retain: false }
}

const subscribe: Packet = { cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 't', qos: 2 }] }

function brief(packets: Packet[]): unknown[] {
  return packets.map(packet =>
    packet.cmd === 'publish'
      ? [packet.cmd, packet.messageId, String(packet.payload), packet.qos, packet.dup]
      : [packet.cmd, packet.messageId]
  )
}

for (const version of [4, 5] as const) {
  test(`v${version}: a publish that comes again is acknowledged again and published once, until it is released`, async () => {
    const bench = new Bench()
    const { send, transport } = await bench.connected(version)
    send(publish(7, 'a'), publish(7, 'a', true), publish(5, 'b'), { cmd: 'pubrel', messageId: 7 })
    send(publish(7, 'c'))
    await bench.clock.run()
    assert.deepEqual(
      bench.broker.published.map(message => Buffer.from(message.payload()).toString()),
      ['a', 'b', 'c']
    )
    const expected = [
      ['pubrec', 7],
      ['pubrec', 7],
      ['pubrec', 5],
      ['pubcomp', 7],
      ['pubrec', 7]
    ]
    assert.deepEqual(brief(transport.packets(version)), expected)
  })

  test(`v${version}: PUBRECs wait for the broker, and leave in the order of their publishes`, async () => {
    const bench = new Bench()
    bench.broker.holdReceipts = true
    const { send, transport } = await bench.connected(version)
    send(publish(1, 'a'), publish(2, 'b'), publish(1, 'a', true))
    bench.broker.settle(1)
    await bench.clock.run()
    assert.deepEqual(transport.packets(version), [])
    bench.broker.settle(0)
    await bench.clock.run()
    assert.deepEqual(brief(transport.packets(version)), [
      ['pubrec', 1],
      ['pubrec', 2]
    ])
  })

  test(`v${version}: a delivery keeps its id until PUBCOMP, and its place in the window`, async () => {
    const bench = new Bench({ inflightMax: 2 })
    const subscriber = await bench.connected(version)
    subscriber.send(subscribe)
    await bench.clock.run()
    subscriber.transport.written = []
    const publisher = await bench.connected((9 - version) as 4 | 5)
    publisher.send(publish(1, 'a'), publish(2, 'b'), publish(3, 'c'))
    await bench.clock.run()
    const got = (): unknown[] => brief(subscriber.transport.packets(version))
    assert.deepEqual(got(), [
      ['publish', 1, 'a', 2, false],
      ['publish', 2, 'b', 2, false]
    ])
    subscriber.send(
      { cmd: 'pubrec', messageId: 2 },
      { cmd: 'pubrec', messageId: 1 },
      { cmd: 'pubrec', messageId: 1 }
    )
    await bench.clock.run()
    assert.deepEqual(got(), [
      ['pubrel', 2],
      ['pubrel', 1],
      ['pubrel', 1]
    ])
    subscriber.send({ cmd: 'pubcomp', messageId: 2 })
    await bench.clock.run()
    assert.deepEqual(got(), [['publish', 3, 'c', 2, false]])
  })
}

test('a subscriber at QoS 1 gets at QoS 1 what was published at QoS 2, and one at QoS 2 what was published at QoS 1', async () => {
  const bench = new Bench()
  const one = await bench.connected(4)
  one.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 't', qos: 1 }] })
  const two = await bench.connected(4)
  two.send(subscribe)
  await bench.clock.run()
  for (const { transport } of [one, two]) transport.written = []
  two.send(publish(1, 'a'), { ...publish(2, 'b'), qos: 1 })
  await bench.clock.run()
  assert.deepEqual(brief(one.transport.packets(4)), [
    ['publish', 1, 'a', 1, false],
    ['publish', 2, 'b', 1, false]
  ])
  const got = brief(two.transport.packets(4)) as unknown[][]
  assert.deepEqual(
    got.filter(([cmd]) => cmd === 'publish'),
    [
      ['publish', 1, 'a', 2, false],
      ['publish', 2, 'b', 1, false]
    ]
  )
})

test('v5 is told of ids that are not known, and what a publish was refused for; it may then use the id anew', async () => {
  const bench = new Bench()
  const { send, transport } = await bench.connected(5)
  send({ cmd: 'pubrel', messageId: 9 }, { cmd: 'pubrec', messageId: 8 })
  bench.broker.reason = 0x97
  send(publish(1, 'a'), publish(1, 'a'))
  await bench.clock.run()
  const packets = transport
    .packets(5)
    .map(({ cmd, ...rest }) => [cmd, (rest as { reasonCode?: number }).reasonCode])
  assert.deepEqual(packets, [
    ['pubcomp', 0x92],
    ['pubrel', 0x92],
    ['pubrec', 0x97],
    ['pubrec', 0x97]
  ])
  assert.equal(bench.broker.published.length, 2)
})

test('v5: publishes that are not released count against the Receive Maximum; one that comes again does not', async () => {
  const bench = new Bench({ receiveMaximum: 2 })
  const { send, transport } = await bench.connected(5)
  send(publish(1, 'a'), publish(2, 'b'), publish(2, 'b', true))
  await bench.clock.run()
  assert.deepEqual(brief(transport.packets(5)), [
    ['pubrec', 1],
    ['pubrec', 2],
    ['pubrec', 2]
  ])
  send(publish(3, 'c'))
  const [goodbye] = transport.packets(5)
  assert.equal((goodbye as { reasonCode?: number }).reasonCode, 0x93)
})
