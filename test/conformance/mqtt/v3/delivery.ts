// MQTT 3.1.1, sections 4.1 to 4.6: session state, the QoS protocols, redelivery and order.
import assert from 'node:assert/strict'
import type { Client } from '../client.ts'
import { acknowledgement, DISCONNECT, PUBACK, PUBCOMP, PUBREC, PUBREL, publish } from '../packets.ts'
import { BINDS_CLIENTS, type Statement, type Trial, tested, untestable } from '../statement.ts'

export const delivery: readonly Statement[] = [
  tested(
    '4.1.0-1',
    'The state of a session is stored for as long as it lasts: subscriptions, what is sent and not acknowledged, what waits.',
    async trial => {
      const { client, publisher, id, topic } = await subscribed(trial)
      await publisher.publish(topic, 'sent', { qos: 1 })
      const { id: sent } = await client.message({ payload: 'sent' })
      client.send(DISCONNECT)
      await client.closes()
      await publisher.publish(topic, 'waiting', { qos: 1 })
      const again = await trial.connect({ id, clean: false })
      await again.message({ payload: 'sent', id: sent, dup: true })
      await again.message({ payload: 'waiting', dup: false })
      await publisher.publish(topic, 'live', { qos: 1 })
      await again.message({ payload: 'live' })
    }
  ),
  tested('4.1.0-2', 'A session lasts at least as long as its connection.', async trial => {
    const { client, publisher, topic } = await subscribed(trial, { clean: true })
    for (let number = 0; number < 20; number++) {
      await client.settled()
      await publisher.publish(topic, `${number}`, { qos: 2 })
      await client.acknowledge(await client.message({ payload: `${number}` }))
    }
  }),
  tested('4.3.1-1', 'QoS 0 is sent with DUP 0.', async trial => {
    const { client, publisher, topic } = await subscribed(trial)
    await publisher.publish(topic, 'x')
    await client.message({ payload: 'x', qos: 0, dup: false })
  }),
  tested(
    '4.3.2-1',
    'QoS 1 is sent with a free identifier and DUP 0, and is unacknowledged until PUBACK.',
    async trial => {
      const { client, publisher, topic, id } = await subscribed(trial)
      await publisher.publish(topic, 'a', { qos: 1 })
      await publisher.publish(topic, 'b', { qos: 1 })
      const a = await client.message({ payload: 'a', qos: 1, dup: false })
      const b = await client.message({ payload: 'b', qos: 1, dup: false })
      assert.notEqual(a.id, b.id)
      await client.acknowledge(a)
      await client.settled()
      client.drop()
      const again = await trial.connect({ id, clean: false })
      await again.message({ payload: 'b', id: b.id, dup: true })
      await again.nothing()
    }
  ),
  tested(
    '4.3.2-2',
    'PUBACK comes with the identifier; behind it the same identifier is a new message, whatever DUP says.',
    async trial => {
      const { client, publisher, topic } = await subscribed(trial)
      await publisher.publish(topic, 'one', { qos: 1, id: 7 })
      await publisher.publish(topic, 'two', { qos: 1, id: 7, dup: true })
      await client.message({ payload: 'one' })
      await client.message({ payload: 'two' })
    }
  ),
  tested(
    '4.3.3-1',
    'QoS 2 is sent with a free identifier and DUP 0; PUBREC is answered with PUBREL, which is repeated until PUBCOMP, the PUBLISH no more.',
    async trial => {
      const { client, publisher, topic, id } = await subscribed(trial)
      await publisher.publish(topic, 'x', { qos: 2 })
      const message = await client.message({ payload: 'x', qos: 2, dup: false })
      client.send(acknowledgement(PUBREC, message.id))
      assert.equal(await client.acknowledged(PUBREL), message.id)
      client.drop()
      const again = await trial.connect({ id, clean: false })
      assert.equal(await again.acknowledged(PUBREL), message.id)
      again.send(acknowledgement(PUBCOMP, message.id))
      await again.nothing()
      again.drop()
      await (await trial.connect({ id, clean: false })).nothing()
    }
  ),
  tested(
    '4.3.3-2',
    'QoS 2 is answered with PUBREC however often it comes, delivered once; PUBREL with PUBCOMP; then its identifier is a new message.',
    async trial => {
      const { client, publisher, topic } = await subscribed(trial)
      for (const dup of [false, true, true]) {
        publisher.send(publish(topic, 'one', { qos: 2, id: 7, dup }))
        assert.equal(await publisher.acknowledged(PUBREC), 7)
      }
      for (let count = 0; count < 2; count++) {
        publisher.send(acknowledgement(PUBREL, 7))
        assert.equal(await publisher.acknowledged(PUBCOMP), 7)
      }
      await publisher.publish(topic, 'two', { qos: 2, id: 7 })
      await client.acknowledge(await client.message({ payload: 'one' }))
      await client.acknowledge(await client.message({ payload: 'two' }))
      await client.nothing()
      await isOnceAcrossConnections(trial, client, topic)
    }
  ),
  tested(
    '4.4.0-1',
    'On resumption every PUBLISH and PUBREL that is not acknowledged is sent again with its identifier.',
    async trial => {
      const { client, publisher, topic, id } = await subscribed(trial)
      await publisher.publish(topic, 'a', { qos: 1 })
      await publisher.publish(topic, 'b', { qos: 2 })
      await publisher.publish(topic, 'c', { qos: 2 })
      const a = await client.message({ payload: 'a' })
      const b = await client.message({ payload: 'b' })
      const c = await client.message({ payload: 'c' })
      client.send(acknowledgement(PUBREC, b.id))
      await client.acknowledged(PUBREL)
      client.drop()
      const again = await trial.connect({ id, clean: false })
      await again.message({ payload: 'a', id: a.id, dup: true })
      await again.message({ payload: 'c', id: c.id, dup: true })
      assert.equal(await again.acknowledged(PUBREL), b.id)
      await again.nothing()
    }
  ),
  tested(
    '4.5.0-1',
    'A message is added to the sessions of all clients whose subscriptions match.',
    async trial => {
      const topic = trial.topic()
      const live = await Promise.all(
        [`${topic}/a`, `${topic}/+`, `${topic}/#`].map(async filter => {
          const client = await trial.connect()
          await client.subscribe(filter, 1)
          return client
        })
      )
      const id = trial.id()
      const away = await trial.connect({ id, clean: false })
      await away.subscribe(`${topic}/#`, 1)
      away.send(DISCONNECT)
      await away.closes()
      await (await trial.connect()).publish(`${topic}/a`, 'x', { qos: 1 })
      const back = await trial.connect({ id, clean: false })
      for (const client of [...live, back])
        await client.message({ topic: `${topic}/a`, payload: 'x', qos: 1 })
    }
  ),
  untestable('4.5.0-2', 'A client acknowledges what it gets.', BINDS_CLIENTS),
  tested('4.6.0-1', 'What is sent again is sent in the order in which it was first sent.', async trial => {
    const { client, publisher, topic, id } = await subscribed(trial)
    for (let number = 0; number < 10; number++)
      await publisher.publish(topic, `${number}`, { qos: 1 + (number % 2) })
    for (let number = 0; number < 10; number++) await client.message({ payload: `${number}` })
    client.drop()
    const again = await trial.connect({ id, clean: false })
    for (let number = 0; number < 10; number++) await again.message({ payload: `${number}`, dup: true })
  }),
  tested('4.6.0-2', 'PUBACKs come in the order of the PUBLISHes.', trial =>
    acknowledgedInOrder(trial, 1, PUBACK)
  ),
  tested('4.6.0-3', 'PUBRECs come in the order of the PUBLISHes.', trial =>
    acknowledgedInOrder(trial, 2, PUBREC)
  ),
  tested('4.6.0-4', 'PUBRELs come in the order of the PUBRECs.', async trial => {
    const { client, publisher, topic } = await subscribed(trial)
    const ids: number[] = []
    for (let number = 0; number < 10; number++) await publisher.publish(topic, `${number}`, { qos: 2 })
    for (let number = 0; number < 10; number++) ids.push((await client.message()).id)
    client.send(...ids.map(id => acknowledgement(PUBREC, id)))
    for (const id of ids) assert.equal(await client.acknowledged(PUBREL), id)
  }),
  tested('4.6.0-5', 'Each topic is ordered by default.', trial => isOrdered(trial, 0)),
  tested(
    '4.6.0-6',
    'Messages of one client, topic and QoS reach each subscriber in the order in which they came.',
    async trial => {
      for (const qos of [0, 1, 2]) await isOrdered(trial, qos)
    }
  )
]

interface Subscribed {
  readonly client: Client
  readonly publisher: Client
  readonly topic: string
  readonly id: string
}

/** A client with a session that is stored, subscribed at QoS 2, and one that publishes. */
async function subscribed(trial: Trial, { clean = false } = {}): Promise<Subscribed> {
  const [id, topic] = [trial.id(), trial.topic()]
  const client = await trial.connect({ id, clean })
  await client.subscribe(topic, 2)
  return { client, publisher: await trial.connect(), topic, id }
}

/** What is sent again on the next connection, PUBREC or not, is delivered once. */
async function isOnceAcrossConnections(trial: Trial, subscriber: Client, topic: string): Promise<void> {
  const id = trial.id()
  const first = await trial.connect({ id, clean: false })
  first.send(publish(topic, 'three', { qos: 2, id: 7 }))
  assert.equal(await first.acknowledged(PUBREC), 7)
  first.drop()
  const second = await trial.connect({ id, clean: false })
  await second.publish(topic, 'three', { qos: 2, id: 7, dup: true })
  await second.publish(topic, 'four', { qos: 2, id: 7 })
  await subscriber.acknowledge(await subscriber.message({ payload: 'three' }))
  await subscriber.acknowledge(await subscriber.message({ payload: 'four' }))
  await subscriber.nothing()
}

async function acknowledgedInOrder(trial: Trial, qos: number, type: number): Promise<void> {
  const client = await trial.connect()
  // Topics of several nodes, which may answer at different times.
  const ids = Array.from({ length: 15 }, (_, index) => 500 - index)
  client.send(...ids.map(id => publish(trial.topic(), 'x', { qos, id })))
  for (const id of ids) assert.equal(await client.acknowledged(type), id)
}

async function isOrdered(trial: Trial, qos: number): Promise<void> {
  const { client, publisher, topic } = await subscribed(trial)
  const count = 15
  publisher.send(
    ...Array.from({ length: count }, (_, index) => publish(topic, `${index}`, { qos, id: index + 1 }))
  )
  if (qos === 2) {
    for (let id = 1; id <= count; id++) {
      assert.equal(await publisher.acknowledged(PUBREC), id)
      publisher.send(acknowledgement(PUBREL, id))
    }
  }
  for (let index = 0; index < count; index++) await client.message({ payload: `${index}`, qos })
}
