// MQTT 3.1.1, sections 3.1.3, 3.1.4 and 3.2: CONNECT's payload, what the server makes of it, and CONNACK.
import assert from 'node:assert/strict'
import { bytes, CONNACK, connect, DISCONNECT, packet, publish, text, uint16 } from '../packets.ts'
import { BINDS_CLIENTS, type Statement, type Trial, tested, untestable } from '../statement.ts'
import { endsAtOnce, flagged, ILL_FORMED, isRefused } from '../wrong.ts'

const ALPHABET = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ'

export const accept: readonly Statement[] = [
  tested(
    '3.1.3-1',
    "The payload's fields come as client identifier, will topic, will message, user name, password.",
    async trial => {
      const topic = trial.topic()
      const subscriber = await trial.connect()
      await subscriber.subscribe(topic)
      const client = await trial.connect({
        will: { topic, payload: 'will' },
        user: 'user',
        password: 'password'
      })
      client.drop()
      await subscriber.message({ topic, payload: 'will' })
    }
  ),
  tested('3.1.3-2', 'The client identifier identifies the state held for a client.', async trial => {
    const [one, other] = [trial.id(), trial.id()]
    const first = await trial.connect({ id: one, clean: false })
    first.send(DISCONNECT)
    await first.closes()
    assert.equal((await trial.connect({ id: other, clean: false })).present, false)
    assert.equal((await trial.connect({ id: one, clean: false })).present, true)
  }),
  tested('3.1.3-3', 'The client identifier is there, the first field of the payload.', trial =>
    endsAtOnce(trial, [
      packet(0x10, text('MQTT'), bytes(4, 2), uint16(0)),
      packet(0x10, text('MQTT'), bytes(4, 2, 0, 0, 0))
    ])
  ),
  tested('3.1.3-4', 'The client identifier is UTF-8.', trial =>
    endsAtOnce(
      trial,
      ILL_FORMED.map(id => connect({ id }))
    )
  ),
  tested('3.1.3-5', 'Client identifiers of 1 to 23 bytes of 0-9, a-z and A-Z are allowed.', async trial => {
    for (let at = 0; at < ALPHABET.length; at += 7) {
      await trial.connect({ id: (trial.id() + ALPHABET.slice(at, at + 7)).padEnd(23, 'Z').slice(0, 23) })
    }
    await trial.connect({ id: 'x' })
  }),
  tested('3.1.3-6', 'A client without an identifier gets one of its own.', async trial => {
    const [one, two] = [await trial.connect({ id: '' }), await trial.connect({ id: '' })]
    await one.settled()
    await two.settled()
  }),
  untestable('3.1.3-7', 'A client without an identifier sets CleanSession.', BINDS_CLIENTS),
  tested(
    '3.1.3-8',
    'No identifier and CleanSession 0: return code 2, then the connection is closed.',
    trial => isRefused(trial, connect({ id: '', clean: false }), 2)
  ),
  tested(
    '3.1.3-9',
    'A rejected identifier is answered with return code 2, then the connection is closed.',
    trial => isRefused(trial, connect({ id: '', clean: false }), 2)
  ),
  tested('3.1.3-10', 'The will topic is UTF-8.', trial =>
    endsAtOnce(
      trial,
      ILL_FORMED.map(topic => connect({ id: trial.id(), will: { topic, payload: 'w' } }))
    )
  ),
  tested('3.1.3-11', 'The user name is UTF-8.', trial =>
    endsAtOnce(
      trial,
      ILL_FORMED.map(user => connect({ id: trial.id(), user }))
    )
  ),
  tested('3.1.4-1', 'A CONNECT that does not conform closes the connection without a CONNACK.', trial =>
    endsAtOnce(trial, [
      packet(0x10),
      packet(0x10, text('MQTT')),
      packet(0x10, text('MQTT'), bytes(4, 2, 0)),
      packet(0x10, text('MQTT'), bytes(4, 2, 0, 0), uint16(9), Buffer.from('short')),
      flagged(trial, 0x82),
      flagged(trial, 0x03)
    ])
  ),
  tested(
    '3.1.4-2',
    'An identifier that is connected already: the existing client is disconnected.',
    async trial => {
      for (const clean of [true, false]) {
        const id = trial.id()
        const older = await trial.connect({ id, clean })
        const newer = await trial.connect({ id, clean })
        await older.closesUnanswered()
        await newer.settled()
      }
    }
  ),
  tested('3.1.4-3', "A valid CONNECT's CleanSession is processed.", async trial => {
    const id = trial.id()
    await trial.connect({ id, clean: false })
    assert.equal((await trial.connect({ id, clean: false })).present, true)
    assert.equal((await trial.connect({ id })).present, false)
    assert.equal((await trial.connect({ id, clean: false })).present, false)
  }),
  tested('3.1.4-4', 'A valid CONNECT is acknowledged with return code 0.', async trial => {
    const client = await trial.open()
    client.send(connect({ id: trial.id() }))
    const { flags, body } = await client.next(CONNACK)
    assert.deepEqual([flags, ...body], [0, 0, 0])
  }),
  tested(
    '3.1.4-5',
    'What a client sends behind a CONNECT that is rejected is not processed.',
    async trial => {
      const topic = trial.topic()
      const subscriber = await trial.connect()
      await subscriber.subscribe(topic)
      const rejected = await trial.open()
      rejected.send(connect({ id: '', clean: false }), publish(topic, 'rejected'))
      await rejected.closes()
      await (await trial.connect()).publish(topic, 'marker', { qos: 1 })
      await subscriber.message({ payload: 'marker' })
    }
  ),
  tested('3.2.0-1', 'The first packet of the server is CONNACK.', async trial => {
    const [id, topic] = [trial.id(), trial.topic()]
    await stored(trial, id, topic)
    const client = await trial.open()
    client.send(connect({ id, clean: false }))
    await client.next(CONNACK)
    await client.message({ payload: 'stored' })
  }),
  tested('3.2.2-1', 'CleanSession 1 is accepted with session present 0.', async trial => {
    const id = trial.id()
    await stored(trial, id, trial.topic())
    assert.equal((await trial.connect({ id })).present, false)
  }),
  tested(
    '3.2.2-2',
    'CleanSession 0 with a stored session is accepted with session present 1.',
    async trial => {
      const id = trial.id()
      await stored(trial, id, trial.topic())
      assert.equal((await trial.connect({ id, clean: false })).present, true)
    }
  ),
  tested('3.2.2-3', 'Without a stored session, session present is 0.', async trial => {
    assert.equal((await trial.connect({ clean: false })).present, false)
  }),
  tested('3.2.2-4', 'A return code other than 0 comes with session present 0.', async trial => {
    const id = trial.id()
    await stored(trial, id, trial.topic())
    await isRefused(trial, connect({ id, level: 2, clean: false }), 1)
  }),
  tested('3.2.2-5', 'Behind a return code other than 0 the connection is closed.', async trial => {
    await isRefused(trial, connect({ id: '', clean: false }), 2)
    await isRefused(trial, connect({ id: trial.id(), level: 2 }), 1)
  }),
  tested('3.2.2-6', 'If no return code fits, the connection is closed without a CONNACK.', trial =>
    endsAtOnce(trial, [flagged(trial, 0x03), connect({ name: 'other', id: trial.id() })])
  )
]

/** A session that is left with a message waiting. */
async function stored(trial: Trial, id: string, topic: string): Promise<void> {
  const client = await trial.connect({ id, clean: false })
  await client.subscribe(topic, 1)
  client.send(DISCONNECT)
  await client.closes()
  const publisher = await trial.connect()
  await publisher.publish(topic, 'stored', { qos: 1 })
}
