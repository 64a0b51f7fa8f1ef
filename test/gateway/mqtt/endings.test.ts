// How connections end, and what they may cost while they last: wills, keep-alive, slow readers, garbage.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { generate, type IPublishPacket, type Packet } from 'mqtt-packet'
import { Message } from '../../../broker/message.ts'
import { eventually } from '../../support/eventually.ts'
import { Bench, listening, RawClient } from './harness.ts'

const will = { topic: 'will', payload: 'gone', qos: 1 as const, retain: true }
const reasonOf = (packet: Packet | undefined): unknown =>
  (packet as { reasonCode?: number } | undefined)?.reasonCode

test('a will is published when the socket closes without a DISCONNECT [MQTT-3.1.2-8]', async () => {
  for (const version of [4, 5] as const) {
    const bench = new Bench()
    const { transport } = await bench.connected(version, { will })
    transport.destroy()
    const [published] = bench.broker.published
    assert.equal(published?.topic.name, 'will')
    assert.deepEqual(
      [Buffer.from(published!.payload()).toString(), published?.qos, published?.retain],
      ['gone', 1, true]
    )
    assert.equal(bench.broker.published.length, 1)
  }
})

test('a will of QoS 2 is published at QoS 2', async () => {
  const bench = new Bench()
  const { transport } = await bench.connected(4, { will: { ...will, qos: 2 } })
  transport.destroy()
  assert.equal(bench.broker.published[0]?.qos, 2)
})

test("a will keeps its properties but for the delay, which the session's end does not wait for", async () => {
  const bench = new Bench()
  const properties = { willDelayInterval: 60, contentType: 'c' }
  const { transport } = await bench.connected(5, { will: { ...will, properties } })
  transport.destroy()
  assert.equal(Buffer.from(bench.broker.published[0]!.properties!).toString('hex'), '03000163')
})

test('DISCONNECT takes the will back, unless v5 asks for it with another reason than 0x00', async () => {
  for (const [version, reasonCode, count] of [
    [4, 0, 0],
    [5, 0, 0],
    [5, 4, 1],
    [5, 0x81, 1]
  ] as const) {
    const bench = new Bench()
    const { send, transport } = await bench.connected(version, { will })
    send({ cmd: 'disconnect', reasonCode })
    assert.equal(bench.broker.published.length, count)
    assert.equal(transport.ended, true)
    assert.deepEqual(transport.packets(version), [], 'DISCONNECT is not answered')
  }
})

test('DISCONNECT may leave out its reason and properties', async () => {
  for (const hex of ['e000', 'e00100', 'e0020000']) {
    const bench = new Bench()
    const { connection, transport } = await bench.connected(5, { will })
    connection.onData(Buffer.from(hex, 'hex'))
    assert.equal(bench.broker.published.length, 0)
    assert.deepEqual([transport.ended, bench.gateway.counters.faults], [true, 0])
  }
})

test('a session cannot be asked to outlive its connection in DISCONNECT', async () => {
  const bench = new Bench()
  const { send, transport } = await bench.connected(5)
  send({ cmd: 'disconnect', reasonCode: 0, properties: { sessionExpiryInterval: 5 } })
  assert.equal(reasonOf(transport.packets(5)[0]), 0x82)
})

test('a client that was never granted its id leaves no will', async () => {
  const bench = new Bench()
  const { connection, transport } = bench.open()
  connection.onData(generate({ cmd: 'connect', clientId: 'x', will }))
  transport.destroy()
  await bench.clock.run()
  assert.equal(bench.broker.published.length, 0)
  assert.equal(bench.broker.holders.size, 0)
})

test('a silent client is closed after one and a half times its keep-alive, not before', async () => {
  for (const version of [4, 5] as const) {
    const bench = new Bench()
    const { connection, send, transport } = await bench.connected(version, { keepalive: 10, will })
    await bench.clock.advance(14_000)
    send({ cmd: 'pingreq' })
    await bench.clock.advance(14_900)
    assert.equal(transport.ended, false)
    assert.equal(transport.packets(version)[0]?.cmd, 'pingresp')
    connection.onData(Buffer.from([0xc0])) // half a packet is no packet
    await bench.clock.advance(1_700)
    assert.equal(transport.ended, true)
    if (version === 5) assert.equal(reasonOf(transport.packets(5)[0]), 0x8d)
    assert.equal(bench.broker.published.length, 1, 'its will')
  }
})

test('many silent clients are all found in time, a few at each step', async () => {
  const bench = new Bench()
  const clients = 300
  for (let i = 0; i < clients; i++) await bench.connected(4, { keepalive: 2 })
  const open = (): number => clients - bench.gateway.counters.timedOut
  await bench.clock.advance(2_900)
  assert.equal(open(), clients)
  for (let ms = 2_900; ms < 4_100; ms += 50) {
    const before = open()
    await bench.clock.advance(50)
    assert.ok(before - open() <= clients / 10, `${before - open()} at once`)
  }
  assert.equal(open(), 0)
})

test('a client without keep-alive may be silent', async () => {
  const bench = new Bench()
  const { transport } = await bench.connected(4, { keepalive: 0 })
  await bench.clock.advance(500_000)
  assert.equal(transport.ended, false)
})

test('a client that is not read, because the way is congested, is not taken for silent', async () => {
  const bench = new Bench()
  const { send, transport } = await bench.connected(4, { keepalive: 1 })
  bench.broker.congested = true
  send({ cmd: 'publish', topic: 't', payload: 'x', qos: 0, dup: false, retain: false })
  await bench.clock.advance(60_000)
  assert.equal(transport.ended, false)
})

test('who sends no CONNECT in time is closed, and so is who sends half of one', async () => {
  const bench = new Bench({ connectTimeoutMs: 5000 })
  const silent = bench.open()
  const half = bench.open()
  half.connection.onData(generate({ cmd: 'connect', clientId: 'x' }).subarray(0, 6))
  await bench.clock.advance(4000)
  assert.equal(silent.transport.destroyed || half.transport.destroyed, false)
  await bench.clock.advance(2000)
  assert.equal(silent.transport.destroyed && half.transport.destroyed, true)
})

test('with the last connection the timer goes, too', async () => {
  const bench = new Bench()
  const { transport } = await bench.connected(4, { keepalive: 10 })
  assert.equal(bench.clock.timers, 1)
  transport.destroy()
  assert.equal(bench.clock.timers, 0)
})

interface Slow {
  bench: Bench
  slow: Awaited<ReturnType<Bench['connected']>>
  publish(qos: 0 | 1, count: number): Promise<void>
}

/** A subscriber whose network takes nothing, and a publisher of messages of about 1,000 bytes. */
async function slowReader(version: 4 | 5, options: object): Promise<Slow> {
  const bench = new Bench({ packetBytesMax: 2000, ...options })
  const slow = await bench.connected(version)
  slow.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 't', qos: 1 }] })
  await bench.clock.run()
  slow.transport.written = []
  slow.transport.stuck = true
  let number = 0
  const payload = Buffer.alloc(990)
  return {
    bench,
    slow,
    async publish(qos, count) {
      for (let i = 0; i < count; i++) {
        const own = Buffer.from(payload)
        own.writeUInt32BE(number++)
        bench.broker.publish(new Message(bench.broker.topic('t'), own, 0, own.length, qos, false))
        if (i % 10 === 9) await bench.clock.run()
      }
      await bench.clock.run()
    }
  }
}

function numbers(packets: Packet[]): number[] {
  return packets
    .filter(packet => packet.cmd === 'publish')
    .map(packet => (packet as IPublishPacket & { payload: Buffer }).payload.readUInt32BE())
}

test('a client that does not read costs its outbox and no more; QoS 0 beyond it is dropped and counted', async () => {
  const { bench, slow, publish } = await slowReader(4, { outboxBytesMax: 50_000, queueBytesMax: 20_000 })
  await publish(0, 200)
  const { outbox, deliveries } = slow.connection
  assert.ok(outbox.bytes <= 50_000, `${outbox.bytes}`)
  assert.equal(deliveries.queue, null)
  assert.ok(bench.gateway.counters.dropped > 100)
  slow.transport.stuck = false
  slow.transport.take()
  await bench.clock.run()
  const got = numbers(slow.transport.packets(4))
  assert.equal(got.length + bench.gateway.counters.dropped, 200)
  assert.deepEqual(
    got,
    [...got].sort((a, b) => a - b),
    'in order'
  )
  assert.equal(outbox.bytes, 0)
})

test('QoS 1 for a client that does not read waits, in order, and arrives when it reads', async () => {
  const { bench, slow, publish } = await slowReader(5, { outboxBytesMax: 20_000, queueBytesMax: 200_000 })
  await publish(1, 150)
  assert.ok(slow.connection.outbox.bytes <= 20_000)
  assert.ok(slow.connection.deliveries.queue!.count > 100)
  slow.transport.stuck = false
  slow.transport.take()
  await bench.clock.run()
  const got = numbers(slow.transport.packets(5))
  assert.deepEqual(
    got,
    Array.from({ length: 150 }, (_, i) => i)
  )
  assert.equal(slow.connection.deliveries.queue!.count, 0)
})

test('QoS 1 beyond the queue closes the connection with 0x97', async () => {
  for (const limit of [{ queueBytesMax: 30_000 }, { queueMax: 20 }]) {
    const { bench, slow, publish } = await slowReader(5, { outboxBytesMax: 20_000, ...limit })
    await publish(1, 100)
    assert.equal(slow.transport.ended, true)
    assert.equal(bench.broker.count, 0)
    assert.equal(bench.gateway.counters.overflowed, 1)
    assert.equal(reasonOf(slow.transport.packets(5).at(-1)), 0x97)
  }
})

test('a client that takes nothing for too long is closed, also while it sends', async () => {
  const { bench, slow, publish } = await slowReader(4, { stallTimeoutMs: 30_000 })
  await publish(0, 10)
  for (let i = 0; i < 29; i++) {
    slow.send({ cmd: 'pingreq' })
    await bench.clock.advance(1000)
  }
  assert.equal(slow.transport.destroyed, false)
  await bench.clock.advance(2000)
  assert.equal(slow.transport.destroyed, true)
  assert.equal(bench.gateway.connections.size, 0)
})

test('a client that asks without end and reads no answer is closed', async () => {
  const bench = new Bench({ packetBytesMax: 200, outboxBytesMax: 1000 })
  const { connection, transport } = await bench.connected(5)
  transport.stuck = true
  for (let i = 0; i < 200 && !connection.closed; i++) {
    connection.onData(Buffer.from('c000'.repeat(100), 'hex'))
    await bench.clock.run()
  }
  assert.equal(connection.closed, true)
})

test('a closed connection whose last bytes are not taken is destroyed', async () => {
  const { bench, slow, publish } = await slowReader(5, { lingerMs: 2000 })
  await publish(0, 10)
  slow.connection.takenOver()
  assert.equal(slow.transport.destroyed, false)
  await bench.clock.advance(3000)
  assert.equal(slow.transport.destroyed, true)
  assert.equal(bench.gateway.connections.size, 0)
})

test('input that comes although it is not asked for is bounded', async () => {
  const bench = new Bench()
  const { connection, send, transport } = await bench.connected(5)
  bench.broker.congested = true
  send({ cmd: 'publish', topic: 't', payload: 'x', qos: 0, dup: false, retain: false })
  for (let i = 0; i < 50 && !connection.closed; i++) connection.onData(Buffer.alloc(65_536))
  assert.equal(connection.closed, true)
  assert.equal(reasonOf(transport.packets(5)[0]), 0x97)
})

test('a packet that announces more than is allowed is refused before it is buffered', async () => {
  const bench = new Bench({ packetBytesMax: 1000 })
  const { connection, transport } = await bench.connected(5)
  connection.onData(Buffer.from([0x30, 0xff, 0xff, 0xff, 0x7f]))
  assert.equal(reasonOf(transport.packets(5)[0]), 0x95)
  const other = await bench.connected(5)
  for (const byte of [0x30, 0xe8, 0x07]) other.connection.onData(Buffer.from([byte]))
  assert.equal(reasonOf(other.transport.packets(5)[0]), 0x95)
})

test('a packet in pieces takes memory as it arrives, not as it announces itself', async () => {
  const bench = new Bench()
  const { connection } = await bench.connected(5)
  connection.onData(Buffer.from([0x30, 0xf0, 0xff, 0x3f]))
  assert.ok(connection.input.assembly!.buffer.length < 1000)
})

const faults: [string, 4 | 5, string, number][] = [
  ['QoS 3', 5, '3605000161000100', 0x81],
  ['a topic alias, none being offered', 5, '300700016103230001', 0x94],
  ['a subscription identifier', 5, '3006000161020b01', 0x82],
  ['a wildcard', 5, '300400012b00', 0x90],
  ['no topic', 5, '3003000000', 0x82],
  ['packet id 0', 5, '32060001610000 00', 0x82],
  ['a reserved type', 5, '0000', 0x82],
  ['PUBREL without an id', 5, '62020000', 0x82],
  ['PUBREC with a reason of PUBREL', 5, '5003000192', 0x81],
  ['PUBCOMP with a reason of PUBREC', 5, '7003000110', 0x81],
  ['wrong flags', 5, 'c100', 0x81],
  ['PINGREQ with a body', 5, 'c00100', 0x81],
  ['AUTH', 5, 'f000', 0x82],
  ['a length that is not minimal', 5, 'c08000', 0x81],
  ['CONNACK from a client', 5, '2003000000', 0x82]
]

for (const [what, version, hex, reason] of faults) {
  test(`${what}: v5 is told 0x${reason.toString(16)}, and the connection closed`, async () => {
    const bench = new Bench()
    const { connection, transport } = await bench.connected(version, { will })
    connection.onData(Buffer.from(hex.replaceAll(' ', ''), 'hex'))
    const [goodbye] = transport.packets(version)
    assert.deepEqual([goodbye?.cmd, reasonOf(goodbye)], ['disconnect', reason])
    assert.equal(transport.ended, true)
    assert.equal(bench.broker.published.length, 1, 'its will')
  })
}

test('any bytes, before or after CONNECT, end in a close or are understood; other clients notice nothing', async t => {
  const { port, listener, broker } = await listening(t)
  broker.record = false
  const other = await RawClient.connected(t, port, 5)
  await other.subscribe('other')
  await fc.assert(
    fc.asyncProperty(
      fc.boolean(),
      fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 }), { maxLength: 4 }),
      async (connected, chunks) => {
        const client = connected ? await RawClient.connected(t, port, 5) : await RawClient.open(t, port, 5)
        for (const chunk of chunks) client.write(chunk)
        client.socket.end()
        await client.isClosed()
      }
    ),
    { numRuns: 150 }
  )
  other.send({ cmd: 'publish', topic: 'other', payload: 'still here', qos: 0, dup: false, retain: false })
  const [message] = await other.settled()
  assert.equal(String((message as IPublishPacket).payload), 'still here')
  await eventually('the connections to be gone', () => listener.gateway.connections.size === 1)
})

test('over a real socket, a reader that stops costs a bounded outbox and gets the rest when it goes on', async t => {
  const { port, listener, broker } = await listening(t, {
    outboxBytesMax: 2_000_000,
    packetBytesMax: 100_000
  })
  broker.record = false
  const reader = await RawClient.connected(t, port, 4, { clientId: 'reader' })
  await reader.subscribe('t')
  reader.socket.pause()
  const publisher = await RawClient.connected(t, port, 4)
  const connection = [...listener.gateway.connections].find(({ clientId }) => clientId === 'reader')!
  const payload = Buffer.alloc(50_000)
  for (let i = 0; i < 400; i++) {
    publisher.send({ cmd: 'publish', topic: 't', payload, qos: 0, dup: false, retain: false })
    if (i % 10 === 0) await publisher.settled()
    assert.ok(connection.outbox.bytes <= 2_000_000)
  }
  await publisher.settled()
  const { dropped } = listener.gateway.counters
  assert.ok(dropped > 0)
  reader.socket.resume()
  await eventually('all that was not dropped', () => reader.packets.length === 400 - dropped)
})

test('what a client sent before it closed its side is dealt with and answered, though its client id was not yet its own', async t => {
  const { broker, port } = await listening(t)
  const claim = broker.claim.bind(broker)
  let grant: () => void = () => {}
  const granted = new Promise<void>(resolve => {
    grant = resolve
  })
  broker.claim = async (clientId, holder) => {
    if (clientId === 'hasty') await granted
    await claim(clientId, holder)
  }
  const client = await RawClient.open(t, port, 5)
  client.connect({ clientId: 'hasty', will })
  client.send({ cmd: 'publish', topic: 'good', payload: '', qos: 0, dup: false, retain: false })
  client.socket.end(Buffer.from('300400012b00', 'hex'))
  // What comes later is read later, so by then the node has read all of the first.
  const later = await RawClient.connected(t, port)
  await later.settled()
  grant()
  await client.expect('connack')
  assert.equal(reasonOf(await client.expect('disconnect')), 0x90)
  await client.isClosed()
  assert.deepEqual(
    broker.published.map(message => message.topic.name),
    ['good', 'will']
  )
})

test('a client that closes its side gets what is gathered for it, and its will is published', async t => {
  const { broker, port } = await listening(t)
  const client = await RawClient.connected(t, port, 4, { will })
  client.socket.end(Buffer.from('c000c000', 'hex'))
  await client.isClosed()
  assert.deepEqual(
    client.packets.map(packet => packet.cmd),
    ['pingresp', 'pingresp']
  )
  assert.equal(broker.published[0]?.topic.name, 'will')
})
