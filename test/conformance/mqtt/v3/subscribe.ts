// MQTT 3.1.1, sections 3.8 and 3.9: SUBSCRIBE and SUBACK.
import assert from 'node:assert/strict'
import { bytes, packet, SUBACK, subscribe, text, uint16 } from '../packets.ts'
import { type Statement, tested } from '../statement.ts'
import { endsConnection, ILL_FORMED } from '../wrong.ts'

export const subscribing: readonly Statement[] = [
  tested('3.8.1-1', 'The flags of SUBSCRIBE are 0010; else the connection is closed.', trial =>
    endsConnection(
      trial,
      [0x80, 0x81, 0x83, 0x86, 0x8a].map(first => packet(first, uint16(1), text(trial.topic()), bytes(0)))
    )
  ),
  tested('3.8.3-1', 'The filters of SUBSCRIBE are UTF-8.', trial =>
    endsConnection(
      trial,
      ILL_FORMED.map(filter => subscribe(1, [filter, 0]))
    )
  ),
  tested('3.8.3-2', 'Wildcards are supported, or filters with them rejected.', async trial => {
    const topic = trial.topic()
    const client = await trial.connect()
    for (const filter of [`${topic}/+`, `${topic}/a/#`]) {
      const code = await client.subscribe(filter)
      if (code === 0x80) continue
      assert.equal(code, 0)
      await client.publish(filter.replace('+', 'x').replace('#', 'x'), 'x')
      await client.message()
    }
  }),
  tested('3.8.3-3', 'SUBSCRIBE has at least one filter with its QoS; none is a protocol violation.', trial =>
    endsConnection(trial, [subscribe(1), packet(0x82, uint16(1), text(trial.topic()))])
  ),
  tested(
    '3.8.3-4',
    'Reserved bits in the payload, or a QoS that is not 0, 1 or 2, close the connection.',
    trial =>
      endsConnection(
        trial,
        [3, 4, 8, 0x10, 0x80, 0xff].map(qos => subscribe(1, [trial.topic(), qos]))
      )
  ),
  tested('3.8.4-1', 'SUBSCRIBE is answered with SUBACK.', async trial => {
    const client = await trial.connect()
    client.send(subscribe(3, [trial.topic(), 0]))
    await client.next(SUBACK)
  }),
  tested('3.8.4-2', 'SUBACK has the packet identifier of SUBSCRIBE.', async trial => {
    const client = await trial.connect()
    client.send(subscribe(0x1234, [trial.topic(), 0]))
    assert.equal((await client.next(SUBACK)).body.readUInt16BE(0), 0x1234)
  }),
  tested(
    '3.8.4-3',
    'An identical filter replaces the subscription; retained messages are sent again; no message is lost.',
    async trial => {
      const topic = trial.topic()
      const publisher = await trial.connect()
      await publisher.publish(topic, 'kept', { qos: 1, retain: true })
      const subscriber = await trial.connect()
      await subscriber.subscribe(topic, 0)
      await subscriber.message({ payload: 'kept', retain: true, qos: 0 })
      await subscriber.subscribe(topic, 1)
      await subscriber.message({ payload: 'kept', retain: true, qos: 1 })
      await publisher.publish(topic, 'once', { qos: 1 })
      await publisher.publish(topic, 'marker', { qos: 1 })
      await subscriber.message({ payload: 'once', qos: 1, retain: false })
      await subscriber.message({ payload: 'marker' })
    }
  ),
  tested('3.8.4-4', 'SUBSCRIBE with several filters acts as several, with one SUBACK.', async trial => {
    const [a, b] = [trial.topic(), trial.topic()]
    const client = await trial.connect()
    client.send(subscribe(5, [a, 0], [b, 1]))
    await client.next(SUBACK)
    await client.publish(a, 'a', { qos: 1 })
    await client.message({ topic: a, qos: 0 })
    await client.publish(b, 'b', { qos: 1 })
    await client.message({ topic: b, qos: 1 })
    await client.nothing()
  }),
  tested('3.8.4-5', 'SUBACK has a return code for each filter: the QoS granted, or failure.', async trial => {
    const client = await trial.connect()
    client.send(subscribe(5, [trial.topic(), 0], [trial.topic(), 1], [trial.topic(), 2]))
    const { body } = await client.next(SUBACK)
    assert.equal(body.length, 5)
    for (const code of body.subarray(2)) assert.ok([0, 1, 2, 0x80].includes(code), `return code ${code}`)
  }),
  tested('3.8.4-6', 'A message is sent with the lower of its own QoS and the one granted.', async trial => {
    const topic = trial.topic()
    const publisher = await trial.connect()
    for (const granted of [0, 1, 2]) {
      const subscriber = await trial.connect()
      assert.equal(await subscriber.subscribe(topic, granted), granted)
      for (const qos of [0, 1, 2]) {
        await publisher.publish(topic, `${qos}`, { qos })
        const message = await subscriber.message({ payload: `${qos}`, qos: Math.min(qos, granted) })
        await subscriber.acknowledge(message)
      }
    }
  }),
  tested('3.9.3-1', 'The return codes of SUBACK have the order of the filters.', async trial => {
    const client = await trial.connect()
    client.send(subscribe(5, ...[2, 0, 1, 0, 2].map(qos => [trial.topic(), qos] as const)))
    assert.deepEqual([...(await client.next(SUBACK)).body.subarray(2)], [2, 0, 1, 0, 2])
  }),
  tested('3.9.3-2', 'SUBACK has no return codes but 0, 1, 2 and 0x80.', async trial => {
    const client = await trial.connect()
    // A name of this length, or a shared subscription, may be refused.
    client.send(
      subscribe(5, [trial.topic(), 0], [`$share/${trial.id()}/${trial.topic()}`, 1], ['/'.repeat(150), 2])
    )
    for (const code of (await client.next(SUBACK)).body.subarray(2)) {
      assert.ok([0, 1, 2, 0x80].includes(code), `return code ${code}`)
    }
  })
]
