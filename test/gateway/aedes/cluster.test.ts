// aedes itself, three processes of it on one ring, used by MQTT.js; one is killed outright.
import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { withDeadline } from '../../support/deadline.ts'
import { eventually } from '../../support/eventually.ts'
import { fileScope } from './file-scope.ts'
import { type Place, startFleet, startPlace, visit } from './fleet.ts'

const TIMEOUT = { timeout: 60_000 }
const scope = fileScope()
// A message of QoS 1 is acknowledged by aedes before it is stored, one of QoS 2 after.
let places: Place[]
let [a, b, c]: Place[] = []

before(async () => {
  places = await startFleet(scope, 3)
  ;[a, b, c] = places
})

test(
  'what is published at one process is delivered at another, at each QoS, once and in order',
  TIMEOUT,
  async t => {
    const subscriber = await visit(t, b!)
    await subscriber.mqtt.subscribeAsync('flow/#', { qos: 2 })
    await subscriber.mqtt.subscribeAsync('flow/+', { qos: 2 })
    const publisher = await visit(t, a!)
    const sent: string[] = []
    for (let i = 0; i < 30; i++) {
      sent.push(`${i}`)
      // aedes orders messages of different QoS in no way.
      for (const qos of [0, 1, 2] as const) await publisher.mqtt.publishAsync(`flow/${qos}`, `${i}`, { qos })
    }
    await subscriber.has(90)
    for (const qos of [0, 1, 2]) {
      const received = subscriber.received.filter(({ topic }) => topic === `flow/${qos}`)
      assert.deepEqual(
        received.map(({ text }) => text),
        sent
      )
      assert(received.every(each => each.qos === qos))
    }
  }
)

test('nothing is taken for repeated because another topic was faster', TIMEOUT, async t => {
  const subscriber = await visit(t, b!)
  await subscriber.mqtt.subscribeAsync('race/#', { qos: 1 })
  const publisher = await visit(t, a!)
  const sent: Promise<unknown>[] = []
  for (let i = 0; i < 500; i++)
    sent.push(publisher.mqtt.publishAsync(`race/${i % 50}`, `${i}`, { qos: (i % 50) % 2 === 0 ? 0 : 1 }))
  await Promise.all(sent)
  await subscriber.has(500)
  assert.equal(new Set(subscriber.texts).size, 500)
  for (let topic = 0; topic < 50; topic++) {
    const numbers = subscriber.received
      .filter(each => each.topic === `race/${topic}`)
      .map(({ text }) => +text)
    assert.deepEqual(
      numbers,
      numbers.toSorted((x, y) => x - y)
    )
  }
})

test('a retained message is there at every process, and one that is cleared at none', TIMEOUT, async t => {
  const publisher = await visit(t, a!)
  for (const topic of ['kept/1', 'kept/2', 'kept/3'])
    await publisher.mqtt.publishAsync(topic, topic, { qos: 2, retain: true })
  await publisher.mqtt.publishAsync('kept/2', '', { qos: 2, retain: true })
  for (const place of places)
    for (const filter of ['kept/+', 'kept/#']) {
      const guest = await visit(t, place)
      await guest.mqtt.subscribeAsync(filter)
      await guest.has(2)
      assert.deepEqual(guest.received.map(({ topic }) => topic).sort(), ['kept/1', 'kept/3'])
      assert(guest.received.every(({ retain }) => retain))
      await guest.mqtt.endAsync()
    }
})

test('a session is resumed at another process, with all it missed, in order', TIMEOUT, async t => {
  const options = { clientId: 'traveller', clean: false }
  const first = await visit(t, a!, options)
  await first.mqtt.subscribeAsync('news/#', { qos: 2 })
  await first.mqtt.endAsync()
  const publisher = await visit(t, b!)
  const sent: string[] = []
  for (let i = 0; i < 100; i++) {
    sent.push(`${i}`)
    await publisher.mqtt.publishAsync('news/today', `${i}`, { qos: 2 })
  }
  const second = await visit(t, c!, options)
  await second.has(100)
  assert.deepEqual(second.texts, sent)
  // What was delivered is queued no more, and the subscription is alive where the client is now.
  await publisher.mqtt.publishAsync('news/today', 'live', { qos: 1 })
  await second.has(101)
  await second.mqtt.endAsync()
  const third = await visit(t, b!, options)
  await publisher.mqtt.publishAsync('news/today', 'last', { qos: 1 })
  await third.has(1)
  assert.deepEqual(third.texts, ['last'])
})

test('a client that connects at another process is closed where it was', TIMEOUT, async t => {
  const options = { clientId: 'jumper' }
  const first = await visit(t, a!, options)
  const closed = new Promise<void>(resolve => first.mqtt.once('close', () => resolve()))
  const second = await visit(t, b!, options)
  await withDeadline(closed, 'the first connection is closed')
  await second.mqtt.subscribeAsync('for/jumper')
  const publisher = await visit(t, c!)
  await publisher.mqtt.publishAsync('for/jumper', 'here')
  await second.has(1)
})

test(
  'a process that comes takes over its part, and gives it back when it is told to end',
  TIMEOUT,
  async t => {
    const d = await startPlace(t, [a!.id])
    const publisher = await visit(t, a!)
    const names = Array.from({ length: 10 }, (_each, i) => `guest${i}`)
    for (const clientId of names) {
      const guest = await visit(t, d, { clientId, clean: false })
      await guest.mqtt.subscribeAsync(`mail/${clientId}`, { qos: 1 })
      await guest.mqtt.endAsync()
      await publisher.mqtt.publishAsync(`mail/${clientId}`, 'one', { qos: 2 })
    }
    d.child.signal('SIGTERM')
    for (const clientId of names) await publisher.mqtt.publishAsync(`mail/${clientId}`, 'two', { qos: 2 })
    assert.equal(await d.child.exit(), 0)
    for (const clientId of names) {
      const back = await visit(t, c!, { clientId, clean: false })
      await back.has(2)
      assert.deepEqual(back.texts, ['one', 'two'])
      await back.mqtt.endAsync()
    }
  }
)

test(
  'when a process is killed, wills are published, and sessions and retained messages go on',
  TIMEOUT,
  async t => {
    const witness = await visit(t, a!)
    await witness.mqtt.subscribeAsync('died/#', { qos: 1 })
    const names = Array.from({ length: 12 }, (_each, i) => `mortal${i}`)
    const publisher = await visit(t, a!)
    for (const clientId of names) {
      const will = {
        topic: `died/${clientId}`,
        payload: Buffer.from(clientId),
        qos: 1,
        retain: false
      } as const
      const guest = await visit(t, c!, { clientId, clean: false, will })
      await guest.mqtt.subscribeAsync(`post/${clientId}`, { qos: 1 })
      await publisher.mqtt.publishAsync(`board/${clientId}`, clientId, { qos: 2, retain: true })
      // A live one that has gone away, so that its queue fills.
      const away = await visit(t, c!, { clientId: `away-${clientId}`, clean: false })
      await away.mqtt.subscribeAsync(`post/${clientId}`, { qos: 1 })
      await away.mqtt.endAsync()
      await publisher.mqtt.publishAsync(`post/${clientId}`, 'before', { qos: 2 })
    }
    c!.child.signal('SIGKILL')
    await witness.has(names.length)
    assert.deepEqual(witness.texts.sort(), names.sort())
    for (const clientId of names) await publisher.mqtt.publishAsync(`post/${clientId}`, 'after', { qos: 2 })
    for (const clientId of names) {
      const back = await visit(t, b!, { clientId: `away-${clientId}`, clean: false })
      await back.has(2)
      assert.deepEqual(back.texts, ['before', 'after'])
    }
    const reader = await visit(t, b!)
    await reader.mqtt.subscribeAsync('board/#')
    await eventually('all that is retained', () => reader.received.length === names.length)
    assert.equal(witness.received.length, names.length)
  }
)
