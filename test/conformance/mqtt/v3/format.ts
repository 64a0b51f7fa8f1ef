// MQTT 3.1.1, chapters 1 and 2: strings, flags and packet identifiers.
import assert from 'node:assert/strict'
import {
  acknowledgement,
  bytes,
  connect,
  PUBACK,
  PUBREC,
  PUBREL,
  packet,
  publish,
  SUBACK,
  subscribe,
  text,
  UNSUBACK,
  uint16,
  unsubscribe
} from '../packets.ts'
import { BINDS_CLIENTS, type Statement, tested, untestable } from '../statement.ts'
import { endsAtOnce, endsConnection, ILL_FORMED } from '../wrong.ts'

const NUL = 'a\0b'

export const format: readonly Statement[] = [
  tested('1.5.3-1', 'Ill-formed UTF-8 in any string closes the connection.', async trial => {
    await endsAtOnce(
      trial,
      ILL_FORMED.flatMap(wrong => [
        connect({ id: wrong }),
        connect({ id: trial.id(), user: wrong }),
        connect({ id: trial.id(), will: { topic: wrong, payload: 'w' } })
      ])
    )
    await endsConnection(
      trial,
      ILL_FORMED.flatMap(wrong => [publish(wrong, 'x'), subscribe(1, [wrong, 0]), unsubscribe(1, wrong)])
    )
  }),
  tested('1.5.3-2', 'U+0000 in any string closes the connection.', async trial => {
    await endsAtOnce(trial, [
      connect({ id: NUL }),
      connect({ id: trial.id(), user: NUL }),
      connect({ id: trial.id(), will: { topic: NUL, payload: 'w' } })
    ])
    await endsConnection(trial, [publish(NUL, 'x'), subscribe(1, [NUL, 0]), unsubscribe(1, NUL)])
  }),
  tested('1.5.3-3', 'EF BB BF is U+FEFF wherever it stands, and is not stripped.', async trial => {
    const topic = `\ufeff${trial.topic()}\ufeff`
    const subscriber = await trial.connect()
    await subscriber.subscribe(topic, 0)
    const publisher = await trial.connect()
    await publisher.publish(topic.slice(1), 'stripped', { qos: 1 })
    await publisher.publish(topic, 'whole', { qos: 1 })
    await subscriber.message({ topic, payload: 'whole' })
  }),
  tested('2.2.2-1', 'Reserved flag bits have the value of table 2.2.', async trial => {
    const topic = trial.topic()
    const client = await trial.connect()
    client.send(subscribe(1, [topic, 2]))
    assert.equal((await client.take(SUBACK)).flags, 0)
    client.send(publish(topic, 'x', { qos: 1, id: 9 }), publish(topic, 'y', { qos: 2, id: 10 }))
    assert.equal((await client.take(PUBACK)).flags, 0)
    assert.equal((await client.take(PUBREC)).flags, 0)
    await client.message({ qos: 1 })
    client.send(acknowledgement(PUBREL, 10))
    const message = await client.message({ qos: 2 })
    await client.acknowledge(message)
    client.send(unsubscribe(2, topic))
    assert.equal((await client.take(UNSUBACK)).flags, 0)
  }),
  tested('2.2.2-2', 'Invalid flags close the connection.', async trial => {
    const topic = text(trial.topic())
    const right = connect({ id: trial.id() })
    await endsAtOnce(trial, [Buffer.concat([bytes(right[0]! | 1), right.subarray(1)])])
    await endsConnection(trial, [
      packet(0x80, uint16(1), topic, bytes(0)),
      packet(0xa0, uint16(1), topic),
      packet(0xc1),
      packet(0xe1),
      packet(0x41, uint16(1)),
      packet(0x51, uint16(1)),
      packet(0x60, uint16(1)),
      packet(0x71, uint16(1))
    ])
  }),
  tested(
    '2.3.1-1',
    'SUBSCRIBE, UNSUBSCRIBE and PUBLISH of QoS 1 and 2 have a packet identifier that is not 0.',
    trial =>
      endsConnection(trial, [
        subscribe(0, [trial.topic(), 0]),
        unsubscribe(0, trial.topic()),
        publish(trial.topic(), 'x', { qos: 1, id: 0 }),
        publish(trial.topic(), 'x', { qos: 2, id: 0 })
      ])
  ),
  untestable('2.3.1-2', 'A client gives each new packet an identifier that is not in use.', BINDS_CLIENTS),
  untestable('2.3.1-3', 'A client that sends a packet again uses the same identifier.', BINDS_CLIENTS),
  tested(
    '2.3.1-4',
    'The server gives each PUBLISH of QoS 1 and 2 an identifier that is not 0 and not in use, and uses it again only when it is acknowledged.',
    async trial => {
      const topic = trial.topic()
      const subscriber = await trial.connect()
      await subscriber.subscribe(topic, 2)
      const publisher = await trial.connect()
      const ids = new Set<number>()
      for (let number = 0; number < 10; number++) {
        await publisher.publish(topic, `${number}`, { qos: 1 + (number % 2) })
        const { id } = await subscriber.message({ payload: `${number}` })
        assert.ok(id > 0 && !ids.has(id), `identifier ${id} of ${[...ids]}`)
        ids.add(id)
      }
    }
  ),
  tested('2.3.1-5', 'A PUBLISH of QoS 0 has no packet identifier.', async trial => {
    const topic = trial.topic()
    const client = await trial.connect()
    await client.subscribe(topic, 0)
    await client.publish(topic, '', { qos: 1 })
    const { body } = await client.take(3)
    assert.equal(body.length, 2 + topic.length)
  }),
  tested('2.3.1-6', 'PUBACK, PUBREC and PUBCOMP have the identifier of the PUBLISH.', async trial => {
    const client = await trial.connect()
    for (const id of [1, 255, 256, 65_535]) {
      await client.publish(trial.topic(), 'x', { qos: 1, id })
      await client.publish(trial.topic(), 'x', { qos: 2, id })
    }
  }),
  tested(
    '2.3.1-7',
    'SUBACK and UNSUBACK have the identifier of the SUBSCRIBE and UNSUBSCRIBE.',
    async trial => {
      const client = await trial.connect()
      for (const id of [1, 255, 256, 65_535]) {
        client.send(subscribe(id, [trial.topic(), 0]))
        assert.equal((await client.take(SUBACK)).body.readUInt16BE(0), id)
        client.send(unsubscribe(id, trial.topic()))
        assert.equal(await client.acknowledged(UNSUBACK), id)
      }
    }
  )
]
