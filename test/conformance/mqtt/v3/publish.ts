// MQTT 3.1.1, sections 3.3 to 3.7: PUBLISH, its flags and topic, retained messages, and acknowledgements.
import assert from 'node:assert/strict'
import {
  acknowledgement,
  bytes,
  DISCONNECT,
  PUBLISH,
  PUBREC,
  packet,
  publish,
  text,
  uint16
} from '../packets.ts'
import { type Statement, type Trial, tested, untestable } from '../statement.ts'
import { endsConnection, ILL_FORMED } from '../wrong.ts'

export const publishing: readonly Statement[] = [
  tested('3.3.1-1', 'A PUBLISH that is delivered again has DUP 1.', async trial => {
    const [id, topic] = [trial.id(), trial.topic()]
    const first = await trial.connect({ id, clean: false })
    await first.subscribe(topic, 2)
    const publisher = await trial.connect()
    await publisher.publish(topic, 'one', { qos: 1 })
    await publisher.publish(topic, 'two', { qos: 2 })
    await first.message({ payload: 'one', dup: false })
    await first.message({ payload: 'two', dup: false })
    first.drop()
    const second = await trial.connect({ id, clean: false })
    await second.message({ payload: 'one', dup: true })
    await second.message({ payload: 'two', dup: true })
  }),
  tested('3.3.1-2', 'DUP is 0 for all messages of QoS 0.', async trial => {
    const topic = trial.topic()
    const client = await trial.connect()
    await client.subscribe(topic)
    client.send(publish(topic, 'x', { qos: 1, dup: true, id: 5 }))
    await client.message({ payload: 'x', qos: 0, dup: false })
  }),
  tested('3.3.1-3', 'DUP of what comes in is not passed on.', async trial => {
    const topic = trial.topic()
    const subscriber = await trial.connect()
    await subscriber.subscribe(topic, 2)
    const publisher = await trial.connect()
    for (const qos of [1, 2]) {
      await publisher.publish(topic, 'x', { qos, dup: true })
      await subscriber.message({ qos, dup: false })
    }
  }),
  tested('3.3.1-4', 'A PUBLISH with both QoS bits closes the connection.', trial =>
    endsConnection(trial, [
      packet(0x36, text(trial.topic()), uint16(1)),
      packet(0x3e, text(trial.topic()), uint16(1))
    ])
  ),
  tested('3.3.1-5', 'RETAIN 1: message and QoS are stored for those who subscribe later.', async trial => {
    for (const qos of [1, 2]) {
      const topic = trial.topic()
      await retain(trial, topic, 'kept', qos)
      const subscriber = await trial.connect()
      await subscriber.subscribe(topic, 2)
      await subscriber.message({ topic, payload: 'kept', qos, retain: true })
    }
  }),
  tested(
    '3.3.1-6',
    'A new subscription gets the last retained message of each topic that matches.',
    async trial => {
      const topic = trial.topic()
      for (const payload of ['old', 'new']) {
        for (const level of ['a', 'b', 'c']) await retain(trial, `${topic}/${level}`, `${level} ${payload}`)
      }
      const subscriber = await trial.connect()
      await subscriber.subscribe(`${topic}/+`, 1)
      const got: string[] = []
      for (let count = 0; count < 3; count++) got.push((await subscriber.message({ retain: true })).payload)
      assert.deepEqual(got.sort(), ['a new', 'b new', 'c new'])
      await subscriber.nothing()
    }
  ),
  tested('3.3.1-7', 'A retained message of QoS 0 replaces what was retained.', async trial => {
    const topic = trial.topic()
    await retain(trial, topic, 'old')
    const publisher = await trial.connect()
    await publisher.publish(topic, 'new', { retain: true })
    await publisher.publish(topic, 'behind it', { qos: 1 })
    const subscriber = await trial.connect()
    await subscriber.subscribe(topic, 1)
    await publisher.publish(topic, 'marker', { qos: 1 })
    // It may be discarded at any time; the old one is gone in any case.
    const { payload } = await subscriber.message()
    assert.ok(payload === 'new' || payload === 'marker', payload)
  }),
  tested('3.3.1-8', 'What is sent because of a new subscription has RETAIN 1.', async trial => {
    const topic = trial.topic()
    await retain(trial, topic, 'kept')
    const subscriber = await trial.connect()
    for (const filter of [topic, `${topic}/#`]) {
      await subscriber.subscribe(filter)
      await subscriber.message({ topic, retain: true })
    }
  }),
  tested('3.3.1-9', 'What is sent because of an established subscription has RETAIN 0.', async trial => {
    const topic = trial.topic()
    const subscriber = await trial.connect()
    await subscriber.subscribe(topic, 1)
    await retain(trial, topic, 'live')
    await subscriber.message({ payload: 'live', retain: false })
  }),
  tested(
    '3.3.1-10',
    'RETAIN 1 and no payload: sent to subscribers as usual, and the retained message is removed.',
    async trial => {
      const topic = trial.topic()
      await retain(trial, topic, 'kept')
      const subscriber = await trial.connect()
      await subscriber.subscribe(topic, 1)
      await subscriber.message({ payload: 'kept', retain: true })
      await retain(trial, topic, '')
      await subscriber.message({ payload: '', retain: false })
      await hasNoneRetained(trial, topic)
    }
  ),
  tested('3.3.1-11', 'A retained message without payload is not stored.', async trial => {
    const topic = trial.topic()
    await retain(trial, topic, '')
    await hasNoneRetained(trial, topic)
  }),
  tested(
    '3.3.1-12',
    'RETAIN 0: the message is not stored, and replaces and removes nothing.',
    async trial => {
      const topic = trial.topic()
      await retain(trial, topic, 'kept')
      const publisher = await trial.connect()
      await publisher.publish(topic, 'live', { qos: 1 })
      await publisher.publish(topic, '', { qos: 1 })
      const subscriber = await trial.connect()
      await subscriber.subscribe(topic, 1)
      await subscriber.message({ payload: 'kept', retain: true })
    }
  ),
  tested('3.3.2-1', 'The topic name is there, the first field, and UTF-8.', trial =>
    endsConnection(trial, [
      packet(0x30),
      packet(0x30, bytes(0)),
      packet(0x30, bytes(0, 5, 0x61)),
      ...ILL_FORMED.map(topic => publish(topic, 'x'))
    ])
  ),
  tested('3.3.2-2', 'The topic name of PUBLISH has no wildcards.', trial =>
    endsConnection(
      trial,
      ['a/+', '+', '#', 'a/#', 'a+', 'a#'].map(topic => publish(topic, 'x'))
    )
  ),
  tested(
    '3.3.2-3',
    "The topic name of what is sent to a subscriber matches the subscription's filter.",
    async trial => {
      const topic = trial.topic()
      const subscriber = await trial.connect()
      await subscriber.subscribe(`${topic}/+/c`)
      const publisher = await trial.connect()
      for (const rest of ['a', 'a/b', 'a/c/d', 'c', 'a/c'])
        await publisher.publish(`${topic}/${rest}`, rest, { qos: 1 })
      await subscriber.message({ topic: `${topic}/a/c`, payload: 'a/c' })
    }
  ),
  tested('3.3.4-1', 'PUBLISH is answered by its QoS: not at all, with PUBACK, with PUBREC.', async trial => {
    const client = await trial.connect()
    client.send(publish(trial.topic(), 'x'))
    await client.nothing()
    await client.publish(trial.topic(), 'x', { qos: 1 })
    client.send(publish(trial.topic(), 'x', { qos: 2, id: 7 }))
    assert.equal(await client.acknowledged(PUBREC), 7)
    await client.nothing()
  }),
  tested(
    '3.3.5-1',
    'Overlapping subscriptions: the message is delivered with the highest QoS of all that match.',
    async trial => {
      const topic = trial.topic()
      const subscriber = await trial.connect()
      await subscriber.subscribe(`${topic}/#`, 0)
      await subscriber.subscribe(`${topic}/a`, 2)
      await subscriber.subscribe(`${topic}/+`, 1)
      const publisher = await trial.connect()
      await publisher.publish(`${topic}/a`, 'x', { qos: 2 })
      await publisher.publish(`${topic}/a`, 'marker', { qos: 2 })
      let best = 0
      for (;;) {
        const message = await subscriber.message()
        if (message.qos === 2) subscriber.send(acknowledgement(PUBREC, message.id))
        if (message.payload === 'marker') break
        best = Math.max(best, message.qos)
      }
      assert.equal(best, 2)
    }
  ),
  untestable(
    '3.3.5-2',
    'A PUBLISH that is not allowed is acknowledged all the same, or the connection is closed.',
    'no target has rules that forbid a publish'
  ),
  tested('3.6.1-1', 'The flags of PUBREL are 0010; else the connection is closed.', trial =>
    endsConnection(
      trial,
      [0x60, 0x61, 0x63, 0x66, 0x6a].map(first => packet(first, uint16(1)))
    )
  ),
  tested(
    '3.14.1-1',
    'The reserved bits of DISCONNECT are 0; else the client is disconnected.',
    async trial => {
      const topic = trial.topic()
      const subscriber = await trial.connect()
      await subscriber.subscribe(topic)
      for (const flags of [1, 2, 4, 8]) {
        const client = await trial.connect({ will: { topic, payload: `${flags}` } })
        client.send(bytes(DISCONNECT[0]! | flags, 0))
        await client.closesUnanswered()
        // It is not a DISCONNECT that takes the will away.
        await subscriber.message({ payload: `${flags}` })
      }
    }
  )
]

async function retain(trial: Trial, topic: string, payload: string, qos = 1): Promise<void> {
  const publisher = await trial.connect()
  await publisher.publish(topic, payload, { qos, retain: true })
}

async function hasNoneRetained(trial: Trial, topic: string): Promise<void> {
  const subscriber = await trial.connect()
  await subscriber.subscribe(topic, 1)
  const publisher = await trial.connect()
  await publisher.publish(topic, 'marker', { qos: 1 })
  await subscriber.message({ payload: 'marker' })
  assert.ok(!subscriber.received.some(({ type }) => type === PUBLISH))
}
