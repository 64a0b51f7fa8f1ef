// MQTT 3.1.1, sections 3.10 to 3.14: UNSUBSCRIBE, PINGREQ, DISCONNECT.
import assert from 'node:assert/strict'
import { PINGREQ, PINGRESP, packet, text, UNSUBACK, uint16, unsubscribe } from '../packets.ts'
import { BINDS_CLIENTS, type Statement, tested, untestable } from '../statement.ts'
import { endsConnection, ILL_FORMED } from '../wrong.ts'

export const unsubscribing: readonly Statement[] = [
  tested('3.10.1-1', 'The flags of UNSUBSCRIBE are 0010; else the connection is closed.', trial =>
    endsConnection(
      trial,
      [0xa0, 0xa1, 0xa3, 0xa6, 0xaa].map(first => packet(first, uint16(1), text(trial.topic())))
    )
  ),
  tested('3.10.3-1', 'The filters of UNSUBSCRIBE are UTF-8.', trial =>
    endsConnection(
      trial,
      ILL_FORMED.map(filter => unsubscribe(1, filter))
    )
  ),
  tested('3.10.3-2', 'UNSUBSCRIBE has at least one filter; none is a protocol violation.', trial =>
    endsConnection(trial, [unsubscribe(1), packet(0xa2, uint16(1), Buffer.from([0]))])
  ),
  tested(
    '3.10.4-1',
    'A filter is compared byte for byte: what is identical is deleted, nothing else.',
    async trial => {
      const topic = trial.topic()
      const client = await trial.connect()
      await client.subscribe(`${topic}/a`)
      await client.unsubscribe(`${topic}/+`, `${topic}/#`, `${topic}/A`, `${topic}/a/`)
      await client.publish(`${topic}/a`, 'still')
      await client.message({ payload: 'still' })
      await client.subscribe(`${topic}/+`)
      await client.unsubscribe(`${topic}/a`)
      await client.publish(`${topic}/a`, 'by the other')
      await client.message({ payload: 'by the other' })
      await client.nothing()
    }
  ),
  tested('3.10.4-2', 'Behind an UNSUBSCRIBE no new messages are added for the client.', async trial => {
    const [topic, other] = [trial.topic(), trial.topic()]
    const subscriber = await trial.connect()
    await subscriber.subscribe(topic, 1)
    await subscriber.subscribe(other, 1)
    await subscriber.unsubscribe(topic)
    const publisher = await trial.connect()
    await publisher.publish(topic, 'too late', { qos: 1 })
    await publisher.publish(other, 'marker', { qos: 1 })
    await subscriber.message({ payload: 'marker' })
  }),
  tested(
    '3.10.4-3',
    'Behind an UNSUBSCRIBE the delivery of QoS 1 and 2 that has begun is completed.',
    async trial => {
      const topic = trial.topic()
      const subscriber = await trial.connect()
      await subscriber.subscribe(topic, 2)
      const publisher = await trial.connect()
      await publisher.publish(topic, 'begun', { qos: 2 })
      const message = await subscriber.message({ payload: 'begun', qos: 2 })
      await subscriber.unsubscribe(topic)
      await subscriber.acknowledge(message)
      await subscriber.nothing()
    }
  ),
  tested('3.10.4-4', 'UNSUBSCRIBE is answered with UNSUBACK of the same packet identifier.', async trial => {
    const topic = trial.topic()
    const client = await trial.connect()
    await client.subscribe(topic)
    client.send(unsubscribe(0x4321, topic))
    const { body } = await client.next(UNSUBACK)
    assert.deepEqual([...body], [0x43, 0x21])
  }),
  tested('3.10.4-5', 'UNSUBACK comes also when nothing is deleted.', async trial => {
    const client = await trial.connect()
    await client.unsubscribe(trial.topic())
  }),
  tested('3.10.4-6', 'UNSUBSCRIBE with several filters acts as several, with one UNSUBACK.', async trial => {
    const [a, b, c] = [trial.topic(), trial.topic(), trial.topic()]
    const client = await trial.connect()
    for (const filter of [a, b, c]) await client.subscribe(filter)
    await client.unsubscribe(a, b)
    for (const topic of [a, b]) await client.publish(topic, 'gone', { qos: 1 })
    await client.publish(c, 'marker', { qos: 1 })
    await client.message({ topic: c, payload: 'marker' })
    await client.nothing()
  }),
  tested('3.12.4-1', 'PINGREQ is answered with PINGRESP.', async trial => {
    const client = await trial.connect()
    client.send(PINGREQ, PINGREQ, PINGREQ)
    for (let count = 0; count < 3; count++) assert.equal((await client.next(PINGRESP)).body.length, 0)
  }),
  untestable('3.14.4-1', 'Behind a DISCONNECT the client closes the connection.', BINDS_CLIENTS),
  untestable('3.14.4-2', 'Behind a DISCONNECT the client sends nothing more.', BINDS_CLIENTS)
]
