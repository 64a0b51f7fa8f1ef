// A run is a way to save work, and nothing that a client could see: whatever is published, and however the network
// cuts it, each subscriber gets what it would have got had every packet come alone.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { generate, type IPublishPacket, type Packet } from 'mqtt-packet'
import type { Message } from '../../../broker/message.ts'
import { RUN_MESSAGES_MAX } from '../../../broker/run.ts'
import type { Match, Subscriber } from '../../../broker/topics/subscription.ts'
import type { MqttOptions } from '../../../gateway/mqtt/index.ts'
import { packetsOf } from '../../support/runs.ts'
import { Bench, type Version } from './harness.ts'

interface Listener {
  version: Version
  qos: 0 | 1
  identifier: number
  receiveMaximum: number
  maximumPacketSize: number
  stuck: boolean
}

interface Publish {
  topic: string
  size: number
  qos: 0 | 1
  odd: 'no' | 'retain' | 'dup' | 'properties'
}

interface Life {
  version: Version
  options: Partial<MqttOptions>
  noLocal: boolean
  listeners: Listener[]
  publishes: Publish[]
}

const listener: fc.Arbitrary<Listener> = fc.record({
  version: fc.constantFrom<Version>(4, 5),
  qos: fc.constantFrom<0 | 1>(0, 1),
  identifier: fc.constantFrom(0, 0, 300),
  receiveMaximum: fc.constantFrom(65_535, 65_535, 1, 3),
  maximumPacketSize: fc.constantFrom(100_000, 100_000, 70),
  stuck: fc.boolean()
})
const publish: fc.Arbitrary<Publish> = fc.record({
  topic: fc.constantFrom('t', 't', 't', 't', 'longer/topic'),
  size: fc.constantFrom(10, 10, 10, 0, 50, 118, 130),
  qos: fc.constantFrom<0 | 1>(0, 1),
  odd: fc.constantFrom('no', 'no', 'no', 'no', 'no', 'no', 'retain', 'dup', 'properties')
})
/** Rows of packets that are alike, as publishers have them. */
const rows = fc
  .array(fc.tuple(publish, fc.integer({ min: 1, max: 12 })), { minLength: 1, maxLength: 8 })
  .map(rows => rows.flatMap(([publish, times]) => Array<Publish>(times).fill(publish)))
const life: fc.Arbitrary<Life> = fc.record({
  version: fc.constantFrom<Version>(4, 5),
  options: fc.record({
    packetBytesMax: fc.constant(400),
    outboxBytesMax: fc.constantFrom(400, 700, 100_000),
    queueMax: fc.constantFrom(2, 10, 1000),
    queueBytesMax: fc.constantFrom(400, 1000, 100_000),
    inflightMax: fc.constantFrom(1, 5, 1000)
  }),
  noLocal: fc.boolean(),
  listeners: fc.array(listener, { minLength: 1, maxLength: 4 }),
  publishes: rows
})

function packetOf({ topic, size, qos, odd }: Publish, number: number, version: Version): Buffer {
  const payload = Buffer.alloc(size, `${number} `)
  const packet: IPublishPacket = { cmd: 'publish', topic, payload, qos, dup: false, retain: odd === 'retain' }
  if (qos === 1) packet.messageId = number + 1
  if (odd === 'dup') packet.dup = qos === 1
  if (odd === 'properties' && version === 5) packet.properties = { contentType: 'text' }
  return generate(packet, { protocolVersion: version })
}

/** All that clients and counters can see of a life in which the publisher's bytes come as `chunks`. */
async function outcomeOf(life: Life, chunks: readonly Buffer[]): Promise<unknown> {
  const bench = new Bench(life.options)
  const publisher = await bench.connected(life.version)
  const nl = life.version === 5 && life.noLocal
  publisher.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 't', qos: 1, nl }] })
  const clients = await Promise.all(
    life.listeners.map(async ({ version, qos, identifier, receiveMaximum, maximumPacketSize }) => {
      const connect = version === 5 ? { properties: { receiveMaximum, maximumPacketSize } } : {}
      const client = await bench.connected(version, connect)
      const properties =
        version === 5 && identifier > 0 ? { properties: { subscriptionIdentifier: identifier } } : {}
      client.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: '#', qos }], ...properties })
      return { ...client, version }
    })
  )
  await bench.clock.run()
  for (const [i, { transport }] of clients.entries()) {
    transport.packets(4)
    transport.stuck = life.listeners[i]!.stuck
  }
  for (const chunk of chunks) publisher.connection.onData(Buffer.from(chunk))
  const seen: unknown[] = []
  const everyone = [...clients, { ...publisher, version: life.version }]
  for (let round = 0; round < 200; round++) {
    await bench.clock.run()
    const got = everyone.map(({ transport, version }) => transport.packets(version))
    seen.push(got.map(packets => packets.map(describe)))
    for (const { transport } of clients) transport.stuck = false
    for (const { transport } of clients) if (!transport.ended) transport.take()
    for (const [i, packets] of got.entries()) acknowledge(everyone[i]!, packets)
    if (got.every(packets => packets.length === 0) && round > 0) break
  }
  const { counters } = bench.gateway
  const published = bench.broker.published.map(message => [
    message.topic.name,
    Buffer.from(message.payload()).toString(),
    message.qos,
    message.retain,
    message.offset
  ])
  return {
    seen,
    published,
    counters: { ...counters },
    ended: everyone.map(({ transport }) => transport.ended)
  }
}

function describe(packet: Packet): unknown {
  if (packet.cmd !== 'publish') return packet
  const { topic, payload, qos, retain, dup, messageId, properties } = packet
  return [topic, payload.toString(), qos, retain, dup, messageId, properties]
}

/** Acknowledges all that needs it, in one chunk, the first at last. */
function acknowledge(client: { connection: { onData(chunk: Buffer): void } }, packets: Packet[]): void {
  const ids = (packets as IPublishPacket[]).filter(({ cmd, qos }) => cmd === 'publish' && qos === 1)
  const [first, ...others] = ids.map(({ messageId }) => generate({ cmd: 'puback', messageId: messageId! }))
  if (first !== undefined) client.connection.onData(Buffer.concat([...others, first]))
}

test('whatever is published and however it is cut, clients see what they would see if each packet came alone', async () => {
  const cuts = fc.array(fc.integer({ min: 1, max: 3000 }), { maxLength: 20 })
  await fc.assert(
    fc.asyncProperty(life, cuts, async (life, cuts) => {
      const packets = life.publishes.map((publish, i) => packetOf(publish, i, life.version))
      const bytes = Buffer.concat(packets)
      const chunks: Buffer[] = []
      let at = 0
      for (const cut of [...cuts, bytes.length]) {
        if (at < bytes.length) chunks.push(bytes.subarray(at, at + cut))
        at += cut
      }
      assert.deepEqual(await outcomeOf(life, chunks), await outcomeOf(life, packets))
    }),
    { numRuns: 150 }
  )
})

/** Keeps the objects that it is given. */
class Keeper implements Subscriber {
  readonly takesRuns = true
  readonly got: Message[] = []

  deliver(message: Message, _match: Match): void {
    this.got.push(message)
  }
}

test('packets that are alike and come together are one message, up to as many as a run may have', async () => {
  for (const version of [4, 5] as const) {
    for (const qos of [0, 1] as const) {
      const bench = new Bench()
      const keeper = new Keeper()
      await bench.broker.subscribe(keeper, 't', {
        qos: 1,
        noLocal: false,
        retainAsPublished: false,
        identifier: 0
      })
      const { connection, transport } = await bench.connected(version)
      const payloads = Array.from({ length: RUN_MESSAGES_MAX + 3 }, (_, i) => `${i}`)
      const packets = packetsOf('t', payloads, qos, version)
      connection.onData(packets.subarray(0, -1))
      connection.onData(packets.subarray(-1))
      await bench.clock.run()
      assert.deepEqual(
        keeper.got.map(({ count }) => count),
        [RUN_MESSAGES_MAX, 2, 1],
        'the last packet came in two pieces'
      )
      assert.deepEqual(
        keeper.got.flatMap(run => run.singles()).map(single => Buffer.from(single.payload()).toString()),
        payloads
      )
      assert.equal(bench.gateway.counters.messagesIn, payloads.length)
      assert.equal(transport.packets(version).length, qos === 0 ? 0 : payloads.length, 'a PUBACK for each')
    }
  }
})

test('a run at QoS 1 is not larger than what may still be unacknowledged', async () => {
  const bench = new Bench({ receiveMaximum: 5 })
  bench.broker.holdReceipts = true
  const { connection, transport } = await bench.connected(4)
  connection.onData(packetsOf('t', Array(12).fill('x'), 1, 4))
  await bench.clock.run()
  assert.equal(bench.broker.published.length, 5)
  assert.equal(transport.paused, true)
  for (let settled = 0; settled < 12; settled++) {
    bench.broker.settle()
    await bench.clock.run()
  }
  assert.equal(bench.broker.published.length, 12)
  assert.deepEqual(
    transport.packets(4).map(packet => packet.messageId),
    Array.from({ length: 12 }, (_, i) => i + 1)
  )
})

test('many PUBACKs in one chunk are each heard, and one without an id closes', async () => {
  const bench = new Bench({ inflightMax: 4 })
  const { connection, transport } = await bench.connected(5)
  connection.onData(
    generate(
      { cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 't', qos: 1 }] },
      { protocolVersion: 5 }
    )
  )
  await bench.clock.run()
  transport.packets(5)
  const publisher = await bench.connected(4)
  publisher.connection.onData(
    packetsOf(
      't',
      Array.from({ length: 10 }, (_, i) => `${i}`),
      1,
      4
    )
  )
  const got: string[] = []
  for (const expected of [4, 4, 2]) {
    await bench.clock.run()
    const packets = transport.packets(5) as IPublishPacket[]
    assert.equal(packets.length, expected)
    got.push(...packets.map(({ payload }) => payload.toString()))
    const acks = packets.map(({ messageId }) => generate({ cmd: 'puback', messageId: messageId! }))
    connection.onData(Buffer.concat(acks))
  }
  assert.equal(got.join(''), '0123456789')
  connection.onData(Buffer.from('40020001' + '40020000', 'hex'))
  await bench.clock.run()
  assert.equal(transport.ended, true)
})
