// Sessions that outlive their connections, as a client meets them at one node. What is true across nodes stands in
// test/broker/sessions.test.ts, what is true of the session alone in test/sessions/.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  generate,
  type IConnackPacket,
  type IConnectPacket,
  type IPublishPacket,
  type Packet
} from 'mqtt-packet'
import { Bench, type MemoryTransport, type Version } from './harness.ts'

interface Client {
  readonly transport: MemoryTransport
  readonly connack: IConnackPacket
  send(...packets: Packet[]): Promise<unknown[]>
  /** What came since the last call. */
  got(): unknown[]
}

/** As a client that wants to be remembered says it. */
function keep(version: Version, more: Partial<IConnectPacket> = {}): Partial<IConnectPacket> {
  const properties = version === 5 ? { properties: { sessionExpiryInterval: 3600 } } : {}
  return { clientId: 'me', clean: false, ...properties, ...more }
}

async function connect(bench: Bench, version: Version, more: Partial<IConnectPacket>): Promise<Client> {
  const { transport, connection } = bench.open()
  const write = async (packets: Packet[]): Promise<void> => {
    for (const packet of packets) connection.onData(generate(packet, { protocolVersion: version }))
    await bench.clock.run()
  }
  await write([{ cmd: 'connect', protocolVersion: version, clean: true, clientId: '', ...more }])
  const packets = transport.packets(version)
  const connack = packets[0] as IConnackPacket
  assert.equal(connack.cmd, 'connack')
  let rest = brief(packets.slice(1))
  const got = (): unknown[] => {
    const all = [...rest, ...brief(transport.packets(version))]
    rest = []
    return all
  }
  const send = async (...sent: Packet[]): Promise<unknown[]> => {
    await write(sent)
    return got()
  }
  return { transport, connack, send, got }
}

function brief(packets: Packet[]): unknown[] {
  return packets.map(packet => {
    if (packet.cmd === 'publish')
      return [packet.cmd, packet.messageId, String(packet.payload), packet.qos, packet.dup]
    if (packet.cmd === 'suback' || packet.cmd === 'unsuback') return [packet.cmd, packet.granted]
    return packet.cmd === 'disconnect' ? [packet.cmd, packet.reasonCode] : [packet.cmd, packet.messageId]
  })
}

function message(payload: string, qos: 0 | 1 | 2, messageId = 1): IPublishPacket {
  const id = qos === 0 ? {} : { messageId }
  return { cmd: 'publish', topic: 't', payload, qos, dup: false, retain: false, ...id }
}

const subscribe: Packet = { cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 't', qos: 2 }] }
const disconnect: Packet = { cmd: 'disconnect' } as Packet

for (const version of [4, 5] as const) {
  test(`v${version}: a session is there again with its subscriptions, what was not acknowledged, and what waited`, async () => {
    const bench = new Bench()
    const first = await connect(bench, version, keep(version))
    assert.equal(first.connack.sessionPresent, false)
    assert.deepEqual(await first.send(subscribe), [['suback', [2]]])
    const other = await connect(bench, version, {})
    await other.send(message('a', 1), message('b', 2, 2), message('c', 0))
    assert.deepEqual(first.got(), [
      ['publish', 1, 'a', 1, false],
      ['publish', 2, 'b', 2, false],
      ['publish', undefined, 'c', 0, false]
    ])
    assert.deepEqual(await first.send({ cmd: 'pubrec', messageId: 2 }), [['pubrel', 2]])
    first.transport.destroy()
    await other.send(message('d', 1), message('e', 0))
    const second = await connect(bench, version, keep(version))
    assert.equal(second.connack.sessionPresent, true)
    assert.deepEqual(second.got(), [
      ['publish', 1, 'a', 1, true],
      ['pubrel', 2],
      ['publish', 3, 'd', 1, false]
    ])
    await second.send(...[1, 3].map(messageId => ({ cmd: 'puback', messageId }) as Packet))
    await second.send({ cmd: 'pubcomp', messageId: 2 }, disconnect)
    const third = await connect(bench, version, keep(version))
    assert.deepEqual([third.connack.sessionPresent, third.got()], [true, []])
    const clean = await connect(bench, version, { clientId: 'me' })
    assert.deepEqual([clean.connack.sessionPresent, bench.broker.count], [false, 0])
    assert.equal((await connect(bench, version, keep(version))).connack.sessionPresent, false)
  })

  test(`v${version}: a publish of QoS 2 that is said again on the next connection is published once`, async () => {
    const bench = new Bench()
    bench.broker.holdReceipts = true
    const first = await connect(bench, version, keep(version))
    assert.deepEqual(await first.send(message('a', 2, 7)), [])
    first.transport.destroy()
    const second = await connect(bench, version, keep(version))
    assert.deepEqual(await second.send({ ...message('a', 2, 7), dup: true }), [])
    bench.broker.settle()
    await bench.clock.run()
    assert.deepEqual(second.got(), [['pubrec', 7]])
    second.transport.destroy()
    const third = await connect(bench, version, keep(version))
    assert.deepEqual(await third.send({ cmd: 'pubrel', messageId: 7 }), [['pubcomp', 7]])
    assert.equal(bench.broker.published.length, 1)
  })

  test(`v${version}: a newer connection has the session; the older is closed first`, async () => {
    const bench = new Bench()
    const older = await connect(bench, version, keep(version))
    await older.send(subscribe)
    const newer = await connect(bench, version, keep(version))
    assert.deepEqual(older.got(), version === 5 ? [['disconnect', 0x8e]] : [])
    assert.ok(older.transport.ended && newer.connack.sessionPresent)
    await (await connect(bench, version, {})).send(message('a', 1))
    assert.deepEqual(newer.got(), [['publish', 1, 'a', 1, false]])
  })
}

test('what is unsubscribed stays so; codes tell each filter apart', async () => {
  const bench = new Bench({ subscriptionsMax: 2 })
  const client = await connect(bench, 5, keep(5))
  const subscriptions = ['a', '$share/g/a', 'a/#/b', 'b', 'c'].map(topic => ({ topic, qos: 1 }) as const)
  const [suback] = await client.send({ cmd: 'subscribe', messageId: 2, subscriptions })
  assert.deepEqual((suback as [string, number[]])[1].slice(0, 3), [1, 0x9e, 0x8f])
  const unsubscribe: Packet = { cmd: 'unsubscribe', messageId: 3, unsubscriptions: ['a', 'x'] }
  assert.deepEqual(await client.send(unsubscribe), [['unsuback', [0, 0x11]]])
  client.transport.destroy()
  await connect(bench, 5, keep(5))
  assert.ok(!bench.broker.subscriptions.has('a'))
})

test('retained messages follow the SUBACK', async () => {
  const bench = new Bench()
  await (await connect(bench, 4, {})).send({ ...message('kept', 1), retain: true })
  const client = await connect(bench, 4, keep(4))
  assert.deepEqual(await client.send(subscribe), [
    ['suback', [2]],
    ['publish', 1, 'kept', 1, false]
  ])
})

test('v5 is told how long its session is kept, may change it at DISCONNECT, but not if it ends with the connection', async () => {
  const bench = new Bench()
  const { connack, send } = await connect(bench, 5, keep(5))
  assert.equal(connack.properties?.sessionExpiryInterval, 3600)
  await send({ cmd: 'disconnect', reasonCode: 0, properties: { sessionExpiryInterval: 5 } } as Packet)
  await bench.clock.advance(4000)
  assert.equal(bench.broker.hosting.count, 1)
  await bench.clock.advance(3000)
  assert.equal(bench.broker.hosting.count, 0)
  const short = await connect(bench, 5, { clientId: 'me', clean: false })
  assert.equal(short.connack.properties?.sessionExpiryInterval, 0)
  const [goodbye] = await short.send({
    cmd: 'disconnect',
    reasonCode: 0,
    properties: { sessionExpiryInterval: 5 }
  } as Packet)
  assert.deepEqual(goodbye, ['disconnect', 0x82])
  assert.equal(bench.broker.hosting.count, 0)
})

test("a will waits for its delay, and not at all if the client comes back; the client's goodbye takes it back", async () => {
  const bench = new Bench()
  const will = { topic: 'w', payload: Buffer.from('x'), qos: 1 as const, retain: false }
  const delayed = keep(5, { will: { ...will, properties: { willDelayInterval: 10 } } })
  const lost = await connect(bench, 5, delayed)
  lost.transport.destroy()
  await bench.clock.advance(5000)
  const back = await connect(bench, 5, delayed)
  await bench.clock.advance(20_000)
  assert.equal(bench.broker.published.length, 0)
  back.transport.destroy()
  await bench.clock.advance(12_000)
  assert.equal(bench.broker.published.length, 1)
  const polite = await connect(bench, 5, delayed)
  await polite.send(disconnect)
  await bench.clock.advance(20_000)
  assert.equal(bench.broker.published.length, 1)
})

test('a message that has waited is sent with what is left of its expiry interval, or not at all', async () => {
  const bench = new Bench()
  const first = await connect(bench, 5, keep(5))
  await first.send(subscribe)
  await first.send(disconnect)
  const other = await connect(bench, 5, {})
  for (const [text, seconds] of [
    ['a', 5],
    ['b', 60]
  ] as const)
    await other.send({
      ...message(text, 1),
      properties: { messageExpiryInterval: seconds, contentType: 'c' }
    })
  await bench.clock.advance(10_000)
  const { transport, connection } = bench.open()
  const again = { cmd: 'connect', protocolVersion: 5, ...keep(5) } as Packet
  connection.onData(generate(again, { protocolVersion: 5 }))
  await bench.clock.run()
  const packets = transport.packets(5).slice(1) as IPublishPacket[]
  assert.deepEqual(
    packets.map(({ payload, properties }) => [String(payload), properties]),
    [['b', { messageExpiryInterval: 50, contentType: 'c' }]]
  )
})

test('a message that is larger than the client takes is dropped, and nothing waits for it', async () => {
  const bench = new Bench({ inflightMax: 1 })
  const properties = { sessionExpiryInterval: 60, maximumPacketSize: 50 }
  const client = await connect(bench, 5, { clientId: 'me', clean: false, properties })
  await client.send(subscribe)
  await (await connect(bench, 5, {})).send(message('x'.repeat(100), 2), message('a', 1, 2))
  assert.deepEqual(client.got(), [['publish', 2, 'a', 1, false]])
})
