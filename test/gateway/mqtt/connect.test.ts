import assert from 'node:assert/strict'
import { test } from 'node:test'
import { generate } from 'mqtt-packet'
import { ShoalError } from '../../../broker/errors.ts'
import { Bench, listening, RawClient } from './harness.ts'

test('CONNACK of v5 says what is not offered: shared subscriptions', async t => {
  const { port } = await listening(t, { packetBytesMax: 5000, receiveMaximum: 77 })
  const client = await RawClient.open(t, port, 5)
  client.connect({ clientId: 'me', properties: { sessionExpiryInterval: 1000 } })
  const { reasonCode, sessionPresent, properties } = await client.expect('connack')
  assert.equal(reasonCode, 0)
  assert.equal(sessionPresent, false)
  assert.equal(properties?.maximumQoS, undefined, 'all are')
  assert.equal(properties?.sharedSubscriptionAvailable, false)
  assert.equal(properties?.sessionExpiryInterval, 1000)
  assert.equal(properties?.maximumPacketSize, 5000)
  assert.equal(properties?.receiveMaximum, 77)
  assert.equal(properties?.topicAliasMaximum, undefined, 'none is offered')
  assert.equal(properties?.assignedClientIdentifier, undefined, 'the client chose')
})

test('a client without an id is given one of its own', async t => {
  const { port, broker } = await listening(t)
  const ids = new Set<string>()
  for (let i = 0; i < 3; i++) {
    const client = await RawClient.open(t, port, 5)
    client.connect()
    ids.add((await client.expect('connack')).properties!.assignedClientIdentifier!)
  }
  assert.deepEqual([...broker.holders.keys()], [...ids])
  assert.equal(ids.size, 3)
})

const refusals: {
  what: string
  version: 4 | 5
  connect: Parameters<RawClient['connect']>[0]
  code: number
  prepare?: (bench: { broker: import('../../support/fake-broker.ts').FakeBroker }) => void
}[] = [
  { what: 'an id that is too long (3.1.1)', version: 4, connect: { clientId: 'x'.repeat(2000) }, code: 2 },
  { what: 'an id that is too long (v5)', version: 5, connect: { clientId: 'x'.repeat(2000) }, code: 0x85 },
  {
    what: 'a node that does not serve yet (3.1.1)',
    version: 4,
    connect: {},
    code: 3,
    prepare: ({ broker }) => {
      broker.ready = false
    }
  },
  {
    what: 'a node that closes (v5)',
    version: 5,
    connect: {},
    code: 0x88,
    prepare: ({ broker }) => {
      broker.closing = true
    }
  },
  {
    what: 'a client id that cannot be claimed (v5)',
    version: 5,
    connect: { clientId: 'taken' },
    code: 0x88,
    prepare: ({ broker }) => {
      broker.claimError = new ShoalError('TIMEOUT')
    }
  },
  {
    what: 'an authentication method (v5)',
    version: 5,
    connect: { properties: { authenticationMethod: 'SCRAM' } },
    code: 0x8c
  },
  {
    what: 'authentication data without a method (v5)',
    version: 5,
    connect: { properties: { authenticationData: Buffer.from('x') } },
    code: 0x82
  },
  {
    what: 'a will topic with a wildcard (v5)',
    version: 5,
    connect: { will: { topic: 'w/#', payload: 'x' } },
    code: 0x90
  },
  { what: 'a client id with U+0000 (v5)', version: 5, connect: { clientId: 'a\0b' }, code: 0x81 }
]

for (const { what, version, connect, code, prepare } of refusals) {
  test(`${what} is refused with code ${code}, and the connection closed`, async t => {
    const { port, broker, listener } = await listening(t)
    prepare?.({ broker })
    const client = await RawClient.open(t, port, version)
    client.connect(connect)
    const { returnCode, reasonCode } = await client.expect('connack')
    assert.equal(version === 4 ? returnCode : reasonCode, code)
    await client.isClosed()
    assert.equal(listener.gateway.counters.connectsRefused, 1)
    assert.equal(broker.holders.size, 0)
  })
}

test('protocol 3.1, unknown levels, and a session to be kept without an id are refused in the form of their time', async t => {
  const { port } = await listening(t)
  const cases: [string, 4 | 5, number][] = [
    ['101100064d5149736470030200000003616263', 4, 1], // MQIsdp
    ['100c00044d51545406020000000000', 5, 0x84],
    ['100c00044d51545403020000000000', 4, 1],
    ['100c00044d515454040000000000', 4, 2] // [MQTT-3.1.3-8] of 3.1.1
  ]
  for (const [hex, version, code] of cases) {
    const client = await RawClient.open(t, port, version)
    client.write(Buffer.from(hex, 'hex'))
    const connack = await client.expect('connack')
    assert.equal(version === 4 ? connack.returnCode : connack.reasonCode, code)
    await client.isClosed()
  }
})

test('whatever is not a CONNECT first is closed without an answer', async t => {
  const { port } = await listening(t)
  for (const bytes of [
    'GET / HTTP/1.1\r\n\r\n',
    '\x16\x03\x01\x02\x00',
    '\xc0\x00',
    '\x00\x00',
    '\xff\xff\xff\xff\xff'
  ]) {
    const client = await RawClient.open(t, port)
    client.write(Buffer.from(bytes, 'latin1'))
    await client.isClosed()
    assert.deepEqual(client.packets, [])
  }
})

test('a second CONNECT is a protocol error [MQTT-3.1.0-2]', async t => {
  const { port } = await listening(t)
  const client = await RawClient.connected(t, port, 5)
  client.connect()
  assert.equal((await client.expect('disconnect')).reasonCode, 0x82)
  await client.isClosed()
})

test('packets sent right behind CONNECT wait for the client id and are handled then', async () => {
  const bench = new Bench()
  const { transport, connection } = bench.open()
  connection.onData(
    Buffer.concat([
      generate({ cmd: 'connect', clientId: 'eager' }),
      generate({ cmd: 'subscribe', messageId: 5, subscriptions: [{ topic: 'a', qos: 1 }] }),
      generate({ cmd: 'publish', topic: 'a', payload: 'x', qos: 0, dup: false, retain: false })
    ])
  )
  connection.onData(generate({ cmd: 'pingreq' }))
  assert.deepEqual(transport.written, [])
  await bench.clock.run()
  assert.equal(transport.packets(4)[0]?.cmd, 'connack')
  assert.equal(bench.broker.published.length, 1)
  assert.equal(transport.paused, false)
})

test('a client id that is granted at once is answered at once, and so is what came behind CONNECT', async () => {
  const bench = new Bench()
  bench.broker.claimsAtOnce = true
  for (const version of [4, 5] as const) {
    const { transport, connection } = bench.open()
    connection.onData(
      Buffer.concat([
        generate({ cmd: 'connect', clientId: `quick ${version}`, protocolVersion: version }),
        generate({ cmd: 'pingreq' })
      ])
    )
    bench.gateway.flush()
    assert.deepEqual(
      transport.packets(version).map(packet => packet.cmd),
      ['connack', 'pingresp']
    )
    assert.equal(bench.broker.holders.get(`quick ${version}`), connection)
  }
})

test('the newer connection of a client id closes the older, which v5 is told', async t => {
  const { port, broker, listener } = await listening(t)
  const older = await RawClient.connected(t, port, 5, { clientId: 'twin' })
  const newer = await RawClient.connected(t, port, 5, { clientId: 'twin' })
  assert.equal((await older.expect('disconnect')).reasonCode, 0x8e)
  await older.isClosed()
  assert.deepEqual(await newer.settled(), [])
  assert.equal(broker.holders.size, 1)
  assert.equal(listener.gateway.counters.takenOver, 1)
})

test('connections beyond the limit are closed', async t => {
  const { port, listener } = await listening(t, { connectionsMax: 2 })
  const first = await RawClient.connected(t, port)
  await RawClient.connected(t, port)
  const third = await RawClient.open(t, port)
  await third.isClosed()
  assert.equal(listener.gateway.counters.refused, 1)
  first.socket.destroy()
  await first.closed
  assert.deepEqual(await (await reconnected()).settled(), [])

  async function reconnected(): Promise<RawClient> {
    for (;;) {
      const client = await RawClient.open(t, port)
      client.connect()
      try {
        await client.expect('connack')
        return client
      } catch {
        await client.isClosed()
      }
    }
  }
})

test('a keep-alive that is too long, or none, is replaced and v5 told', async t => {
  const { port } = await listening(t, { keepAliveMaxSeconds: 60 })
  for (const [asked, told] of [
    [0, 60],
    [61, 60],
    [60, undefined],
    [10, undefined]
  ] as const) {
    const client = await RawClient.open(t, port, 5)
    client.connect({ keepalive: asked })
    assert.equal((await client.expect('connack')).properties?.serverKeepAlive, told)
  }
})

test('a listener on a public address needs anonymous clients to be allowed', async t => {
  await assert.rejects(listening(t, { host: '0.0.0.0' }), { code: 'OPTION_INVALID' })
})

test('a port in use is said to be', async t => {
  const { port } = await listening(t)
  await assert.rejects(listening(t, { port }), { code: 'PORT_IN_USE' })
})

test('closing says goodbye to v5 with 0x8B, closes the others, and stops listening', async t => {
  const { port, listener } = await listening(t)
  const five = await RawClient.connected(t, port, 5)
  const four = await RawClient.connected(t, port, 4)
  const opening = await RawClient.open(t, port, 4)
  await listener.close()
  assert.equal((await five.expect('disconnect')).reasonCode, 0x8b)
  await Promise.all([five.isClosed(), four.isClosed(), opening.isClosed()])
  assert.equal(listener.gateway.counters.connections, 0)
  await assert.rejects(RawClient.open(t, port))
})
