// Messages in and out: what is published arrives, as the subscription asked for it, and is acknowledged.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { generate, type IPublishPacket, type Packet } from 'mqtt-packet'
import { ShoalError } from '../../../broker/errors.ts'
import { Bench, listening, RawClient } from './harness.ts'

function message(
  topic: string,
  payload: string,
  qos: 0 | 1 = 0,
  more: Partial<IPublishPacket> = {}
): IPublishPacket {
  const id = qos === 0 ? {} : { messageId: 1 }
  return { cmd: 'publish', topic, payload, qos, dup: false, retain: false, ...id, ...more }
}

function subscribe(topic: string, more: object = {}, properties: object = {}): Packet {
  return { cmd: 'subscribe', messageId: 1, subscriptions: [{ topic, qos: 1, ...more }], properties }
}

const publishes = (packets: Packet[]): IPublishPacket[] => packets.filter(packet => packet.cmd === 'publish')

for (const from of [4, 5] as const) {
  for (const to of [4, 5] as const) {
    for (const published of [0, 1] as const) {
      for (const granted of [0, 1] as const) {
        test(`v${from} publishes at QoS ${published}, v${to} with QoS ${granted} gets the lower`, async () => {
          const bench = new Bench()
          const publisher = await bench.connected(from)
          const subscriber = await bench.connected(to)
          subscriber.send(subscribe('a/+', { qos: granted }))
          await bench.clock.run()
          assert.deepEqual((subscriber.transport.packets(to)[0] as { granted?: unknown }).granted, [granted])
          for (let i = 1; i <= 3; i++) {
            const id = published === 0 ? {} : { messageId: i + 500 }
            publisher.send(
              message(`a/${i}`, `payload ${i}`, published, { ...id, dup: published === 1 && i === 2 })
            )
          }
          await bench.clock.run()
          const got = publishes(subscriber.transport.packets(to))
          const qos = Math.min(published, granted)
          assert.deepEqual(
            got.map(({ topic, payload, qos, dup, retain, messageId }) => [
              topic,
              String(payload),
              qos,
              dup,
              retain,
              messageId
            ]),
            [1, 2, 3].map(i => [`a/${i}`, `payload ${i}`, qos, false, false, qos === 1 ? i : undefined])
          )
          const acknowledged = publisher.transport.packets(from).map(({ cmd, messageId }) => [cmd, messageId])
          assert.deepEqual(acknowledged, published === 0 ? [] : [501, 502, 503].map(id => ['puback', id]))
        })
      }
    }
  }
}

test('properties of v5 reach v5 subscribers as they were, and 3.1.1 subscribers without', async () => {
  const bench = new Bench()
  const publisher = await bench.connected(5)
  const five = await bench.connected(5)
  const four = await bench.connected(4)
  for (const { send } of [five, four]) send(subscribe('t'))
  await bench.clock.run()
  for (const { transport } of [five, four]) transport.written = []
  const properties = {
    contentType: 'text/plain',
    correlationData: Buffer.from('c'),
    userProperties: { a: ['1', '2'] }
  }
  publisher.send(message('t', 'x', 1, { properties }), message('t', 'y', 0, { properties }))
  await bench.clock.run()
  for (const got of publishes(five.transport.packets(5)))
    assert.deepEqual({ ...got.properties, userProperties: { ...got.properties?.userProperties } }, properties)
  assert.deepEqual(
    publishes(four.transport.packets(4)).map(({ payload }) => String(payload)),
    ['x', 'y']
  )
})

test('subscription identifiers, Retain As Published and No Local are kept', async () => {
  const bench = new Bench()
  const client = await bench.connected(5)
  const publisher = await bench.connected(5)
  client.send(subscribe('a/b', { rap: true }, { subscriptionIdentifier: 300 }))
  client.send(subscribe('a/#', { qos: 0 }, { subscriptionIdentifier: 7 }))
  client.send(subscribe('own', { nl: true }))
  await bench.clock.run()
  client.transport.written = []
  publisher.send(message('a/b', 'x', 1, { retain: true }))
  client.send(message('own', 'mine'))
  publisher.send(message('own', 'theirs', 0, { retain: true }))
  await bench.clock.run()
  const [first, second, ...more] = publishes(client.transport.packets(5))
  assert.deepEqual(
    [first!.properties?.subscriptionIdentifier, first!.retain, first!.qos],
    [[300, 7], true, 1]
  )
  assert.deepEqual([String(second!.payload), second!.retain], ['theirs', false])
  assert.equal(more.length, 0)
})

test('retained messages follow SUBACK with RETAIN set, as retain handling wants them', async () => {
  const bench = new Bench()
  const client = await bench.connected(5)
  client.send(message('kept/1', 'one', 1, { retain: true }), message('kept/2', 'two', 0, { retain: true }))
  await bench.clock.run()
  client.transport.written = []
  const retained = async (filter: string, rh: number): Promise<string[]> => {
    client.send(subscribe(filter, { rh }))
    await bench.clock.run()
    const packets = client.transport.packets(5)
    assert.equal(packets[0]?.cmd, 'suback')
    return publishes(packets).map(({ payload, retain }) => `${payload} ${retain}`)
  }
  assert.deepEqual(await retained('kept/+', 2), [])
  assert.deepEqual(await retained('kept/+', 1), [], 'it is not new')
  assert.deepEqual(await retained('kept/#', 1), ['one true', 'two true'])
  assert.deepEqual(await retained('kept/+', 0), ['one true', 'two true'])
})

test('each filter of a SUBSCRIBE is granted or refused on its own', async () => {
  for (const [version, codes] of [
    [5, [0, 1, 2, 0x9e, 0x8f, 0x97]],
    [4, [0, 1, 2, 0x80, 0x80, 0x80]]
  ] as const) {
    const bench = new Bench({ subscriptionsMax: 3 })
    const client = await bench.connected(version)
    const filters = ['a', 'b', 'c', '$share/g/a', 'a/#/b', 'd']
    client.send({
      cmd: 'subscribe',
      messageId: 9,
      subscriptions: filters.map((topic, i) => ({ topic, qos: Math.min(i, 2) as 0 | 1 | 2 }))
    })
    // The invalid filter takes a place while it is being looked at.
    await bench.clock.run()
    const [suback] = client.transport.packets(version)
    const granted = (suback as { granted: number[] }).granted
    assert.deepEqual(granted.slice(0, 4), codes.slice(0, 4))
    assert.ok([codes[4], codes[5]].includes(granted[4] as never))
    assert.equal(granted[5], codes[5])
    assert.equal(bench.broker.count, 3)
  }
})

test('a subscribe that the cluster does not take in time is refused and leaves nothing behind', async () => {
  const bench = new Bench()
  const client = await bench.connected(5)
  bench.broker.subscribeError = new ShoalError('TIMEOUT')
  client.send(subscribe('a'))
  await bench.clock.run()
  assert.deepEqual((client.transport.packets(5)[0] as { granted?: unknown }).granted, [0x83])
  assert.equal(client.connection.filters?.size, 0)
})

test('UNSUBSCRIBE waits for the SUBSCRIBE before it, and says what there was to withdraw', async () => {
  for (const version of [4, 5] as const) {
    const bench = new Bench()
    const client = await bench.connected(version)
    bench.broker.holdSubscribes = true
    client.send(subscribe('a'), { cmd: 'unsubscribe', messageId: 2, unsubscriptions: ['a', 'b', 'c/#/'] })
    await bench.clock.run()
    assert.deepEqual(client.transport.packets(version), [])
    bench.broker.releaseSubscribes()
    await bench.clock.run()
    const [suback, unsuback] = client.transport.packets(version)
    assert.equal(suback?.cmd, 'suback')
    assert.deepEqual([unsuback?.cmd, unsuback?.messageId], ['unsuback', 2])
    if (version === 5) assert.deepEqual((unsuback as { granted?: unknown }).granted, [0, 0x11, 0x11])
    assert.equal(bench.broker.count, 0)
  }
})

test('a client that goes while it subscribes leaves no subscription behind', async () => {
  const bench = new Bench()
  const client = await bench.connected(4)
  bench.broker.holdSubscribes = true
  client.send({
    cmd: 'subscribe',
    messageId: 1,
    subscriptions: Array.from({ length: 200 }, (_, i) => ({ topic: `t/${i}`, qos: 0 as const }))
  })
  await bench.clock.run()
  client.transport.destroy()
  bench.broker.releaseSubscribes()
  await bench.clock.run()
  assert.equal(bench.broker.count, 0)
  assert.equal(bench.gateway.connections.size, 0)
})

test('many SUBSCRIBEs at once are worked on in order, and stop the reading meanwhile', async () => {
  const bench = new Bench()
  const client = await bench.connected(4)
  bench.broker.holdSubscribes = true
  for (let i = 1; i <= 100; i++)
    client.send({ cmd: 'subscribe', messageId: i, subscriptions: [{ topic: `t/${i}`, qos: 0 }] })
  assert.equal(client.transport.paused, true)
  await bench.clock.run()
  bench.broker.releaseSubscribes()
  await bench.clock.run()
  assert.deepEqual(
    client.transport.packets(4).map(({ messageId }) => messageId),
    Array.from({ length: 100 }, (_, i) => i + 1)
  )
  assert.equal(client.transport.paused, false)
})

test('PUBACKs wait for the receipt and leave in the order of the publishes [MQTT-4.6.0-2]', async () => {
  const bench = new Bench()
  const client = await bench.connected(5)
  bench.broker.holdReceipts = true
  for (const messageId of [11, 12, 13]) client.send(message('t', 'x', 1, { messageId }))
  bench.broker.settle(1)
  await bench.clock.run()
  assert.deepEqual(client.transport.packets(5), [])
  bench.broker.settle(0)
  await bench.clock.run()
  const acknowledged = client.transport.packets(5) as { messageId?: number; reasonCode?: number }[]
  assert.deepEqual(
    acknowledged.map(({ messageId, reasonCode }) => [messageId, reasonCode]),
    [
      [11, 0x10],
      [12, 0x10]
    ]
  )
})

test('a publish that failed is told to v5; 3.1.1 cannot be told and is closed [MQTT-3.3.5-2]', async () => {
  const bench = new Bench()
  bench.broker.reason = 0x97
  const five = await bench.connected(5)
  five.send(message('t', 'x', 1))
  const four = await bench.connected(4)
  four.send(message('t', 'x', 1))
  await bench.clock.run()
  assert.equal((five.transport.packets(5)[0] as { reasonCode?: number }).reasonCode, 0x97)
  assert.deepEqual(four.transport.packets(4), [])
  assert.equal(four.transport.ended, true)
})

test('more unacknowledged publishes than Receive Maximum: v5 is disconnected with 0x93', async () => {
  const bench = new Bench({ receiveMaximum: 3 })
  const client = await bench.connected(5)
  bench.broker.holdReceipts = true
  for (let messageId = 1; messageId <= 4; messageId++) client.send(message('t', 'x', 1, { messageId }))
  await bench.clock.run()
  assert.equal(bench.broker.published.length, 3)
  const [goodbye] = client.transport.packets(5)
  assert.deepEqual([goodbye?.cmd, (goodbye as { reasonCode?: number }).reasonCode], ['disconnect', 0x93])
})

test('any number of publishes in one chunk is taken when each is safe at once', async () => {
  for (const version of [4, 5] as const) {
    const bench = new Bench({ receiveMaximum: 3 })
    const client = await bench.connected(version)
    const options = { protocolVersion: version }
    const ids = Array.from({ length: 50 }, (_, i) => i + 1)
    client.connection.onData(
      Buffer.concat(ids.map(messageId => generate(message('t', 'x', 1, { messageId }), options)))
    )
    await bench.clock.run()
    assert.deepEqual(
      client.transport.packets(version).map(({ messageId }) => messageId),
      ids
    )
  }
})

test('more unacknowledged publishes than the maximum: 3.1.1 is not read until there is room', async () => {
  const bench = new Bench({ receiveMaximum: 3 })
  const client = await bench.connected(4)
  bench.broker.holdReceipts = true
  for (let messageId = 1; messageId <= 7; messageId++) client.send(message('t', 'x', 1, { messageId }))
  await bench.clock.run()
  assert.equal(bench.broker.published.length, 3)
  assert.equal(client.transport.paused, true)
  bench.broker.settle()
  bench.broker.settle()
  await bench.clock.run()
  assert.equal(bench.broker.published.length, 5)
  bench.broker.holdReceipts = false
  while (bench.broker.receipts.length > 0) bench.broker.settle()
  await bench.clock.run()
  assert.deepEqual(
    client.transport.packets(4).map(({ messageId }) => messageId),
    [1, 2, 3, 4, 5, 6, 7]
  )
  assert.equal(client.transport.paused, false)
})

test('while the way is congested a publisher is not read, and nothing is lost', async () => {
  const bench = new Bench()
  const client = await bench.connected(4)
  bench.broker.congested = true
  const chunk = Buffer.concat(
    Array.from({ length: 10 }, (_, i) => generate(message(i < 3 ? 't' : 'u', `${i}`)))
  )
  client.connection.onData(chunk.subarray(0, 50))
  client.connection.onData(chunk.subarray(50))
  await bench.clock.run()
  assert.equal(bench.broker.published.length, 3, 'the first run')
  assert.equal(client.transport.paused, true)
  bench.broker.drain()
  await bench.clock.run()
  const payloads = bench.broker.published.map(message => Buffer.from(message.payload()).toString())
  assert.deepEqual(
    payloads,
    Array.from({ length: 10 }, (_, i) => `${i}`)
  )
  assert.equal(client.transport.paused, false)
})

test("no more QoS 1 messages are in flight than the client's Receive Maximum; the others wait, in order", async () => {
  const bench = new Bench()
  const client = await bench.connected(5, { properties: { receiveMaximum: 2 } })
  const publisher = await bench.connected(4)
  client.send(subscribe('#'))
  await bench.clock.run()
  client.transport.written = []
  for (let i = 0; i < 6; i++)
    publisher.send(message('t', `${i}`, i === 4 ? 0 : 1, i === 4 ? {} : { messageId: i + 1 }))
  await bench.clock.run()
  const got: string[] = []
  const inflight: number[] = []
  for (;;) {
    const packets = publishes(client.transport.packets(5))
    for (const { payload, messageId } of packets) {
      got.push(String(payload))
      if (messageId !== undefined) inflight.push(messageId)
    }
    assert.ok(inflight.length <= 2)
    if (inflight.length === 0) break
    client.send({ cmd: 'puback', messageId: inflight.shift()! })
    await bench.clock.run()
  }
  assert.deepEqual(got, ['0', '1', '2', '3', '4', '5'])
})

test("a message larger than the client's Maximum Packet Size is not sent [MQTT-3.1.2-25]", async () => {
  const bench = new Bench()
  const client = await bench.connected(5, { properties: { maximumPacketSize: 100 } })
  client.send(subscribe('t'))
  client.send(message('t', 'x'.repeat(100)), message('t', 'small'))
  await bench.clock.run()
  assert.deepEqual(
    publishes(client.transport.packets(5)).map(({ payload }) => String(payload)),
    ['small']
  )
  assert.equal(bench.gateway.counters.droppedTooLarge, 1)
})

test('the bytes of a fan-out are written as one view, the same for every subscriber', async () => {
  const bench = new Bench()
  const views = new Set<ArrayBufferLike>()
  let writes = 0
  for (let i = 0; i < 20; i++) {
    const subscriber = await bench.connected(4)
    subscriber.send(subscribe('t', { qos: 0 }))
    await bench.clock.run()
    subscriber.transport.write = bytes => {
      writes++
      views.add(bytes.buffer)
    }
  }
  const publisher = await bench.connected(4)
  publisher.connection.onData(
    Buffer.concat(Array.from({ length: 50 }, () => generate(message('t', 'payload'))))
  )
  await bench.clock.run()
  assert.equal(writes, 20)
  assert.equal(views.size, 1)
})

test('any stream of packets cut anywhere is read as the same packets', () => {
  const packet = fc.record({
    topic: fc.constantFrom('a', 'a/b', 'é'),
    payload: fc.oneof(fc.string({ maxLength: 30 }), fc.constant('long'.repeat(300))),
    qos: fc.constantFrom<0 | 1>(0, 1)
  })
  return fc.assert(
    fc.asyncProperty(
      fc.array(packet, { minLength: 1, maxLength: 12 }),
      fc.array(fc.nat(2000), { maxLength: 12 }),
      async (packets, cuts) => {
        const bench = new Bench()
        const { connection, transport } = await bench.connected(4)
        const stream = Buffer.concat(
          packets.map(({ topic, payload, qos }) => generate(message(topic, payload, qos)))
        )
        const places = [...cuts.map(cut => cut % (stream.length + 1)), 0, stream.length].sort((a, b) => a - b)
        for (let i = 1; i < places.length; i++)
          connection.onData(Buffer.from(stream.subarray(places[i - 1], places[i])))
        const read = bench.broker.published.map(message => [
          message.topic.name,
          Buffer.from(message.payload()).toString(),
          message.qos
        ])
        assert.deepEqual(
          read,
          packets.map(({ topic, payload, qos }) => [topic, payload, qos])
        )
        await bench.clock.run()
        assert.equal(transport.packets(4).length, packets.filter(({ qos }) => qos === 1).length)
      }
    ),
    { numRuns: 60 }
  )
})

test('a client that sends byte by byte is understood', async t => {
  const { port, broker } = await listening(t)
  const client = await RawClient.open(t, port, 5)
  const options = { protocolVersion: 5 }
  const bytes = Buffer.concat([
    generate(
      { cmd: 'connect', protocolVersion: 5, clientId: 'slow', properties: { receiveMaximum: 5 } } as Packet,
      options
    ),
    generate(subscribe('t'), options),
    generate(message('t', 'x', 1), options),
    generate({ cmd: 'pingreq' }, options)
  ])
  for (const byte of bytes) {
    await new Promise<void>(resolve => client.socket.write(Buffer.from([byte]), () => resolve()))
  }
  const kinds: string[] = []
  while (kinds.length < 5) kinds.push((await client.next()).cmd)
  assert.deepEqual(kinds.sort(), ['connack', 'pingresp', 'puback', 'publish', 'suback'])
  assert.equal(broker.published.length, 1)
})
