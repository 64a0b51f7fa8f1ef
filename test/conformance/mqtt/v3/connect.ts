// MQTT 3.1.1, sections 3.1.0 to 3.1.2: CONNECT's variable header. Wills and keep-alive stand in will.ts.
import assert from 'node:assert/strict'
import {
  bytes,
  CONNACK,
  connect,
  DISCONNECT,
  PINGREQ,
  packet,
  publish,
  subscribe,
  text,
  uint16
} from '../packets.ts'
import { BINDS_CLIENTS, type Statement, tested, untestable } from '../statement.ts'
import { endsAtOnce, flagged, isRefused } from '../wrong.ts'

export const connectHeader: readonly Statement[] = [
  tested('3.1.0-1', 'The first packet of a client is CONNECT.', trial =>
    endsAtOnce(trial, [PINGREQ, DISCONNECT, publish(trial.topic(), 'x'), subscribe(1, [trial.topic(), 0])])
  ),
  tested('3.1.0-2', 'A second CONNECT is a protocol violation: the client is disconnected.', async trial => {
    const id = trial.id()
    const client = await trial.connect({ id })
    client.send(connect({ id }))
    await client.closesUnanswered()
    const hasty = await trial.open()
    hasty.send(connect({ id }), connect({ id }))
    await hasty.next(CONNACK)
    await hasty.closesUnanswered()
  }),
  tested(
    '3.1.2-1',
    'A CONNECT whose protocol name is wrong is not processed in line with the specification.',
    async trial => {
      const id = trial.id()
      await endsAtOnce(trial, [
        connect({ name: 'MQTt', id }),
        connect({ name: 'mqtt', id }),
        connect({ name: 'HTTP', id }),
        connect({ name: '', id })
      ])
    }
  ),
  tested(
    '3.1.2-2',
    'A protocol level that is not supported is answered with return code 1, then the connection is closed.',
    async trial => {
      for (const level of [0, 1, 2]) await isRefused(trial, connect({ level, id: trial.id() }), 1)
      // Higher levels are MQTT 5.0's as well, which says it with reason code 0x84 in a CONNACK of its own form.
      for (const level of [6, 7, 0x7f]) {
        const client = await trial.open()
        client.send(connect({ level, id: trial.id() }))
        const answer = (await client.next(CONNACK)).body.toString('hex')
        assert.ok(answer === '0001' || answer === '008400', answer)
        await client.closesUnanswered()
      }
    }
  ),
  tested('3.1.2-3', 'The reserved flag of CONNECT must be 0; else the client is disconnected.', trial =>
    endsAtOnce(trial, [flagged(trial, 0x03)])
  ),
  tested(
    '3.1.2-4',
    'CleanSession 0: the session is resumed if there is one, else begun, and stored behind the connection.',
    async trial => {
      const [id, topic] = [trial.id(), trial.topic()]
      const first = await trial.connect({ id, clean: false })
      assert.equal(first.present, false)
      await first.subscribe(topic, 1)
      first.send(DISCONNECT)
      await first.closes()
      const second = await trial.connect({ id, clean: false })
      assert.equal(second.present, true)
      const publisher = await trial.connect()
      await publisher.publish(topic, 'x', { qos: 1 })
      await second.message({ topic, payload: 'x', qos: 1 })
    }
  ),
  tested(
    '3.1.2-5',
    "Messages of QoS 1 and 2 that match a stored session's subscriptions are stored for it.",
    async trial => {
      const [id, topic] = [trial.id(), trial.topic()]
      const first = await trial.connect({ id, clean: false })
      await first.subscribe(topic, 2)
      first.send(DISCONNECT)
      await first.closes()
      const publisher = await trial.connect()
      await publisher.publish(topic, 'one', { qos: 1 })
      await publisher.publish(topic, 'two', { qos: 2 })
      const second = await trial.connect({ id, clean: false })
      await second.message({ payload: 'one', qos: 1, dup: false })
      await second.message({ payload: 'two', qos: 2, dup: false })
    }
  ),
  tested(
    '3.1.2-6',
    'CleanSession 1: the earlier session is discarded; this one lasts as long as the connection.',
    async trial => {
      const [id, topic] = [trial.id(), trial.topic()]
      const publisher = await trial.connect()
      const first = await trial.connect({ id, clean: false })
      await first.subscribe(topic, 1)
      first.send(DISCONNECT)
      await first.closes()
      await publisher.publish(topic, 'stored', { qos: 1 })
      const clean = await trial.connect({ id })
      assert.equal(clean.present, false)
      await publisher.publish(topic, 'not subscribed', { qos: 1 })
      await clean.subscribe(`${topic}/other`, 1)
      await publisher.publish(`${topic}/other`, 'marker', { qos: 1 })
      await clean.message({ payload: 'marker' })
      clean.send(DISCONNECT)
      await clean.closes()
      const last = await trial.connect({ id, clean: false })
      assert.equal(last.present, false)
      await last.nothing()
    }
  ),
  tested('3.1.2-7', 'Retained messages are not deleted when a session ends.', async trial => {
    const [id, topic] = [trial.id(), trial.topic()]
    const first = await trial.connect({ id, clean: false })
    await first.publish(topic, 'kept', { qos: 1, retain: true })
    first.send(DISCONNECT)
    await first.closes()
    const clean = await trial.connect({ id })
    clean.send(DISCONNECT)
    await clean.closes()
    const other = await trial.connect()
    await other.subscribe(topic)
    await other.message({ topic, payload: 'kept', retain: true })
  }),
  tested('3.1.2-11', 'Will Flag 0: will QoS and Will Retain are 0, and the payload has no will.', trial =>
    endsAtOnce(trial, [
      flagged(trial, 0x0a),
      flagged(trial, 0x22),
      withMore(trial.id(), 0x02, text('t'), text('m'))
    ])
  ),
  tested('3.1.2-13', 'Will Flag 0: will QoS is 0.', trial =>
    endsAtOnce(trial, [flagged(trial, 0x0a), flagged(trial, 0x12)])
  ),
  tested('3.1.2-14', 'Will QoS is not 3.', trial =>
    endsAtOnce(trial, [
      connect({ id: trial.id(), flags: 0x1e, will: { topic: trial.topic(), payload: 'w' } })
    ])
  ),
  tested('3.1.2-15', 'Will Flag 0: Will Retain is 0.', trial => endsAtOnce(trial, [flagged(trial, 0x22)])),
  tested('3.1.2-18', 'User Name Flag 0: there is no user name in the payload.', trial =>
    endsAtOnce(trial, [withMore(trial.id(), 0x02, text('user'))])
  ),
  tested('3.1.2-19', 'User Name Flag 1: there is a user name in the payload.', trial =>
    endsAtOnce(trial, [flagged(trial, 0x82)])
  ),
  tested('3.1.2-20', 'Password Flag 0: there is no password in the payload.', trial =>
    endsAtOnce(trial, [withMore(trial.id(), 0x82, text('user'), text('password'))])
  ),
  tested('3.1.2-21', 'Password Flag 1: there is a password in the payload.', trial =>
    endsAtOnce(trial, [withMore(trial.id(), 0xc2, text('user'))])
  ),
  tested('3.1.2-22', 'User Name Flag 0: Password Flag is 0.', trial =>
    endsAtOnce(trial, [withMore(trial.id(), 0x42, text('password'))])
  ),
  untestable('3.1.2-23', 'A client lets no more than the keep-alive pass between packets.', BINDS_CLIENTS)
]

/** CONNECT with those flags and whatever behind the client identifier. */
function withMore(id: string, flags: number, ...more: Buffer[]): Buffer {
  return packet(0x10, text('MQTT'), bytes(4, flags), uint16(0), text(id), ...more)
}
