// MQTT 3.1.1, sections 4.7 to 7: topics and filters, errors, WebSocket, conformance.
import assert from 'node:assert/strict'
import { Client } from '../client.ts'
import {
  CONNACK,
  connect,
  DISCONNECT,
  PINGREQ,
  PINGRESP,
  packet,
  publish,
  SUBACK,
  subscribe,
  unsubscribe
} from '../packets.ts'
import { BINDS_CLIENTS, ofWebSocket, type Statement, type Trial, tested, untestable } from '../statement.ts'
import { WebSocketLink } from '../web-socket.ts'
import { endsConnection } from '../wrong.ts'

export const topics: readonly Statement[] = [
  tested('4.7.1-1', 'Wildcards may stand in filters, not in topic names.', async trial => {
    await endsConnection(
      trial,
      ['a/+/b', 'a/#'].map(topic => publish(topic, 'x', { qos: 1 }))
    )
    const topic = trial.topic()
    await matches(trial, `${topic}/+/b`, [`${topic}/a/b`], [`${topic}/a/c`])
  }),
  tested(
    '4.7.1-2',
    '# is the whole filter or stands behind a separator, and is the last character.',
    async trial => {
      const topic = trial.topic()
      await matches(trial, `${topic}/#`, [topic, `${topic}/a`, `${topic}/a/b`, `${topic}/`], [`${topic}a`])
      await refused(trial, ['a#', 'a/#/b', '#/a', 'a/b#', '##', '#a'])
    }
  ),
  tested('4.7.1-3', '+ may stand at any level, and is the whole level.', async trial => {
    const topic = trial.topic()
    await matches(trial, `${topic}/+`, [`${topic}/a`, `${topic}/`], [topic, `${topic}/a/b`])
    await matches(trial, `+/${topic}/+`, [`x/${topic}/y`, `/${topic}/`], [`${topic}/y`])
    await refused(trial, ['a+', '+a', 'a/b+', 'a/+b/c', '++'])
  }),
  tested(
    '4.7.2-1',
    'A filter that begins with a wildcard does not match topics that begin with $.',
    async trial => {
      const topic = trial.topic()
      for (const filter of [`+/${topic}/#`, `+/${topic}`]) {
        const subscriber = await trial.connect()
        await subscriber.subscribe(filter)
        const publisher = await trial.connect()
        await publisher.publish(`$test/${topic}`, 'hidden', { qos: 1 })
        await publisher.publish(`test/${topic}`, 'marker', { qos: 1 })
        await subscriber.message({ topic: `test/${topic}`, payload: 'marker' })
      }
      const all = await trial.connect()
      await all.subscribe('#', 1)
      const publisher = await trial.connect()
      await publisher.publish(`$test/${topic}`, 'hidden', { qos: 1 })
      await publisher.publish(topic, 'last', { qos: 1 })
      for (;;) {
        const message = await all.message()
        assert.ok(!message.topic.startsWith('$'), message.topic)
        if (message.topic === topic) break
        await all.acknowledge(message)
      }
    }
  ),
  tested('4.7.3-1', 'Topic names and filters have at least one character.', async trial => {
    await endsConnection(trial, [publish('', 'x'), publish('', 'x', { qos: 1 })])
    await refused(trial, [''])
    await matches(trial, `/${trial.topic()}`, [], [])
  }),
  tested('4.7.3-2', 'Topic names and filters do not include U+0000.', trial =>
    endsConnection(trial, [publish('a\0', 'x'), subscribe(1, ['a\0', 0]), unsubscribe(1, 'a\0')])
  ),
  tested('4.7.3-3', 'Topic names and filters have 65,535 bytes at most.', async trial => {
    // No longer one can be written: the longest goes through, or is refused, and harms nobody.
    const client = await trial.connect()
    const topic = trial.topic().padEnd(65_535, 'x')
    client.send(subscribe(1, [topic, 0]))
    const answer = await client.take(SUBACK).then(
      ({ body }) => body[2],
      () => 0x80
    )
    if (answer === 0x80) return await (await trial.connect()).settled()
    await client.publish(topic, 'long')
    await client.message({ topic, payload: 'long' })
  }),
  tested('4.7.3-4', 'Nothing is normalised when topics are matched.', async trial => {
    const topic = trial.topic()
    await matches(
      trial,
      `${topic}/caf\u00e9`,
      [`${topic}/caf\u00e9`],
      [`${topic}/cafe\u0301`, `${topic}/CAF\u00c9`]
    )
    await matches(trial, `${topic}/a b`, [`${topic}/a b`], [`${topic}/a  b`, `${topic}/a%20b`])
    await matches(trial, `${topic}//b`, [`${topic}//b`], [`${topic}/b`, `/${topic}//b`])
    await matches(trial, `${topic}/./a`, [`${topic}/./a`], [`${topic}/a`])
  }),
  tested(
    '4.8.0-1',
    'A protocol violation closes the connection on which it came, and no other.',
    async trial => {
      const other = await trial.connect()
      await endsConnection(trial, [
        packet(0x00),
        packet(0xf0),
        packet(0x20, Buffer.from([0, 0])),
        packet(0x90, Buffer.from([0, 1, 0])),
        packet(0xb0, Buffer.from([0, 1])),
        packet(0xd0),
        packet(0x40, Buffer.from([1])),
        Buffer.from([0x30, 0xff, 0xff, 0xff, 0xff, 0x01])
      ])
      await other.settled()
    }
  ),
  untestable(
    '4.8.0-2',
    'A transient error while a packet is processed closes the connection.',
    'no such error can be caused from outside'
  ),
  ofWebSocket('6.0.0-1', 'Packets are in binary frames; any other closes the connection.', async trial => {
    const link = await openWebSocket(trial)
    const client = new Client(link)
    await client.connect({ id: trial.id() })
    link.writeText('\u00c0\u0000')
    await client.closes()
  }),
  ofWebSocket('6.0.0-2', 'A frame may hold several packets, or parts of one.', async trial => {
    const client = new Client(await openWebSocket(trial))
    client.send(connect({ id: trial.id() }), PINGREQ)
    await client.next(CONNACK)
    await client.next(PINGRESP)
    const topic = trial.topic()
    for (const byte of subscribe(1, [topic, 0])) client.send(Buffer.from([byte]))
    await client.next(SUBACK)
    for (const byte of publish(topic, 'x')) client.send(Buffer.from([byte]))
    await client.message({ topic, payload: 'x' })
    client.send(DISCONNECT)
    await client.closes()
  }),
  untestable('6.0.0-3', 'The client offers the sub protocol mqtt.', BINDS_CLIENTS),
  ofWebSocket('6.0.0-4', 'The server selects the sub protocol mqtt.', async trial => {
    assert.equal((await openWebSocket(trial)).protocol, 'mqtt')
    assert.equal((await openWebSocket(trial, 'other, mqtt')).protocol, 'mqtt')
  }),
  untestable(
    '7.0.0-1',
    'A server that connects to other servers conforms as a client too.',
    'no target connects to other MQTT servers'
  ),
  tested('7.0.0-2', 'No extension is needed to talk to other implementations.', async trial => {
    const topic = trial.topic()
    await matches(trial, topic, [topic], [])
  }),
  tested('7.1.1-1', 'A transport is supported that is an ordered, lossless stream of bytes.', async trial => {
    await (await trial.connect()).settled()
  }),
  untestable('7.1.2-1', 'A client supports such a transport.', BINDS_CLIENTS)
]

/** The filter's subscriber gets what is published to these topics, in that order, and not what goes to those. */
async function matches(trial: Trial, filter: string, these: string[], those: string[]): Promise<void> {
  const subscriber = await trial.connect()
  assert.equal(await subscriber.subscribe(filter, 1), 1)
  const publisher = await trial.connect()
  for (const topic of those) await publisher.publish(topic, 'other', { qos: 1 })
  for (const topic of these) {
    await publisher.publish(topic, 'x', { qos: 1 })
    await subscriber.message({ topic, payload: 'x' })
  }
}

/** Each filter is refused in SUBACK, or closes the connection. */
async function refused(trial: Trial, filters: readonly string[]): Promise<void> {
  await Promise.all(
    filters.map(async filter => {
      const client = await trial.connect()
      client.send(subscribe(1, [filter, 0]))
      const answer = client.take(SUBACK).then(
        ({ body }) => body[2],
        () => client.closes().then(() => 0x80)
      )
      assert.equal(await answer, 0x80, `filter "${filter}"`)
    })
  )
}

async function openWebSocket(trial: Trial, offered?: string): Promise<WebSocketLink> {
  const { hostname, port } = new URL(trial.url())
  return await WebSocketLink.open(hostname, Number(port), offered)
}
