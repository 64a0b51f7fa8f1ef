// Clients that are not ours, each on another node than the one it talks with.
import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, type TestContext, test } from 'node:test'
import { eventually } from '../support/eventually.ts'
import { requireTool } from '../support/tools.ts'
import { Lifetime } from './lifetime.ts'
import { MosquittoSub, mosquittoPub } from './mosquitto.ts'
import { MqttJs, nameOf, WAYS } from './mqttjs.ts'
import { type NodeProcess, startCluster } from './nodes.ts'
import { startBrowser } from './page.ts'

const SESSION_TAKEN_OVER = 0x8e

const lifetime = new Lifetime()
let a: NodeProcess
let b: NodeProcess

before(async () => {
  const nodes = await startCluster(lifetime, ['A', 'B'])
  a = nodes[0]!
  b = nodes[1]!
})
after(() => lifetime.end())

function hasMosquitto(t: TestContext): boolean {
  return requireTool(t, 'mosquitto_sub') && requireTool(t, 'mosquitto_pub')
}

async function publishes(t: TestContext, node: NodeProcess, ...args: string[]): Promise<void> {
  const { code, output } = await mosquittoPub(t, node, args)
  assert.equal(code, 0, output)
}

for (const version of ['311', '5'])
  for (const qos of ['0', '1']) {
    test(`mosquitto (-V ${version}, QoS ${qos}) publishes on one node what it gets on the other`, async t => {
      if (!hasMosquitto(t)) return
      const prefix = `mosquitto/${version}/${qos}`
      const common = ['-V', version, '-q', qos]
      const exact = await MosquittoSub.start(t, b, [...common, '-t', `${prefix}/a`])
      const wildcard = await MosquittoSub.start(t, b, [...common, '-t', `${prefix}/+`])
      const repeat = ['--repeat', '50', '--repeat-delay', '0.002']
      await publishes(t, a, ...common, '-t', `${prefix}/a`, '-m', 'exact', ...repeat)
      await publishes(t, a, ...common, '-t', `${prefix}/b`, '-m', 'not for exact')
      await publishes(t, a, ...common, '-t', `${prefix}/a`, '-m', 'last')
      const message = { topic: `${prefix}/a`, qos: Number(qos), retained: false, text: 'exact' }
      const toExact = [...Array.from({ length: 50 }, () => message), { ...message, text: 'last' }]
      assert.deepEqual(await exact.untilText('last'), toExact)
      assert.equal((await wildcard.until(52)).length, 52)
    })
  }

test('a mosquitto_sub at QoS 2 gets what a mosquitto_pub says at QoS 2, once, whichever versions they speak', async t => {
  if (!hasMosquitto(t)) return
  const sub = await MosquittoSub.start(t, b, ['-q', '2', '-t', 'twice/never'])
  for (const version of ['5', '311'])
    await publishes(t, a, '-V', version, '-q', '2', '-t', 'twice/never', '-m', 'hi')
  await publishes(t, a, '-q', '1', '-t', 'twice/never', '-m', 'hi')
  assert.deepEqual(
    (await sub.until(3)).map(({ qos }) => qos),
    [2, 2, 1]
  )
})

test('a retained message is there for whoever subscribes later, on any node, and can be cleared', async t => {
  if (!hasMosquitto(t)) return
  await publishes(t, a, '-q', '1', '-r', '-t', 'retained/one', '-m', 'kept')
  await publishes(t, b, '-q', '1', '-r', '-t', 'retained/two', '-m', 'kept too')
  for (const node of [a, b]) {
    for (const version of ['311', '5']) {
      const exact = await MosquittoSub.start(t, node, ['-V', version, '-q', '1', '-t', 'retained/one'])
      assert.deepEqual(await exact.until(1), [
        { topic: 'retained/one', qos: 1, retained: true, text: 'kept' }
      ])
      const wildcard = await MosquittoSub.start(t, node, ['-V', version, '-q', '1', '-t', 'retained/#'])
      const texts = (await wildcard.until(2)).map(({ text }) => text)
      assert.deepEqual(texts.sort(), ['kept', 'kept too'])
    }
  }
  await publishes(t, b, '-q', '1', '-r', '-n', '-t', 'retained/one')
  const later = await MosquittoSub.start(t, a, ['-q', '1', '-t', 'retained/one'])
  await publishes(t, b, '-q', '1', '-t', 'retained/one', '-m', 'fresh')
  assert.deepEqual(await later.until(1), [{ topic: 'retained/one', qos: 1, retained: false, text: 'fresh' }])
})

test('the will of a client that is killed reaches the other node, that of one that leaves does not', async t => {
  if (!hasMosquitto(t)) return
  const witness = await MosquittoSub.start(t, b, ['-q', '1', '-t', 'will/#'])
  for (const version of ['311', '5']) {
    const mortal = (name: string): Promise<MosquittoSub> => {
      const will = ['--will-topic', `will/${version}/${name}`, '--will-payload', 'gone', '--will-qos', '1']
      return MosquittoSub.start(t, a, ['-V', version, '-C', '1', '-q', '1', '-t', `leave/${name}`, ...will])
    }
    const leaves = await mortal('leaves')
    await publishes(t, b, '-q', '1', '-t', 'leave/leaves', '-m', 'one message is enough')
    assert.equal(await leaves.child.exit(), 0)
    const killed = await mortal('killed')
    await killed.child.kill()
  }
  const topics = (await witness.until(2)).map(({ topic }) => topic)
  assert.deepEqual(topics, ['will/311/killed', 'will/5/killed'])
})

test('a large payload arrives whole, and one that is too large ends only its publisher', async t => {
  if (!hasMosquitto(t)) return
  const folder = await mkdtemp(join(tmpdir(), 'shoal-'))
  t.after(() => rm(folder, { recursive: true }))
  const text = 'x'.repeat(1_000_000)
  await writeFile(join(folder, 'large'), text)
  await writeFile(join(folder, 'too-large'), text + text)
  const sub = await MqttJs.connect(t, b, { version: 4, over: 'TCP' })
  await sub.client.subscribeAsync('large', { qos: 1 })
  await mosquittoPub(t, a, ['-q', '1', '-t', 'large', '-f', join(folder, 'too-large')])
  await publishes(t, a, '-q', '1', '-t', 'large', '-f', join(folder, 'large'))
  await sub.until(1)
  assert.equal(sub.texts[0], text)
})

test('MQTT.js of both versions, over TCP and WebSocket, on one node hears all of them on the other', async t => {
  const subscribers = await Promise.all(WAYS.map(way => MqttJs.connect(t, b, way)))
  for (const [index, { client }] of subscribers.entries()) {
    await client.subscribeAsync(index % 2 === 0 ? 'js/#' : ['js/0', 'js/1', 'js/2', 'js/3'], { qos: 1 })
  }
  for (const [index, way] of WAYS.entries()) {
    const { client } = await MqttJs.connect(t, a, way)
    const publishes = Array.from({ length: 100 }, (_, number) =>
      client.publishAsync(`js/${index}`, String(number), { qos: number % 2 === 0 ? 1 : 0 })
    )
    await Promise.all(publishes)
  }
  const numbers = Array.from({ length: 100 }, (_, number) => `${number}`)
  for (const [index, subscriber] of subscribers.entries()) {
    await subscriber.until(400)
    for (const publisher of WAYS.keys()) {
      const texts = subscriber.inbox
        .filter(({ topic }) => topic === `js/${publisher}`)
        .map(({ payload }) => String(payload))
      assert.deepEqual(texts, numbers, `${nameOf(WAYS[publisher]!)} to ${nameOf(WAYS[index]!)}`)
    }
  }
})

for (const way of WAYS) {
  test(`MQTT.js (${nameOf(way)}): retained messages, a will, an unsubscribe, a payload of any bytes`, async t => {
    const prefix = `js/${way.version}/${way.over}`
    const will = { topic: `${prefix}/will`, payload: Buffer.from('gone'), qos: 1, retain: false } as const
    const mortal = await MqttJs.connect(t, a, way, { will })
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))
    await mortal.client.publishAsync(`${prefix}/kept`, bytes, { qos: 1, retain: true })
    const witness = await MqttJs.connect(t, b, way)
    await witness.client.subscribeAsync([`${prefix}/kept`, `${prefix}/will`], { qos: 1 })
    const [kept] = await witness.until(1)
    assert.equal(kept!.retain, true)
    assert.deepEqual(kept!.payload, bytes)
    await witness.client.unsubscribeAsync(`${prefix}/kept`)
    await mortal.client.publishAsync(`${prefix}/kept`, 'nobody listens', { qos: 1 })
    mortal.client.stream.destroy()
    await witness.until(2)
    assert.deepEqual(witness.texts.slice(1), ['gone'])
  })
}

test('properties of MQTT 5.0 travel between nodes, and their bounds are said in CONNACK', async t => {
  const subscriber = await MqttJs.connect(t, b, { version: 5, over: 'WebSocket' })
  await subscriber.client.subscribeAsync('properties', { qos: 1 })
  const publisher = await MqttJs.connect(t, a, { version: 5, over: 'TCP' })
  const properties = {
    payloadFormatIndicator: true,
    contentType: 'text/plain',
    responseTopic: 'answers',
    correlationData: Buffer.from('17'),
    userProperties: { colour: 'grey', fins: '7' }
  }
  await publisher.client.publishAsync('properties', 'hi', { qos: 1, properties })
  const [packet] = await subscriber.until(1)
  assert.deepEqual(
    { ...packet!.properties, userProperties: { ...packet!.properties!.userProperties } },
    properties
  )
  const bounds = publisher.connack.properties!
  assert.equal(bounds.maximumQoS, undefined)
  assert.equal(bounds.sharedSubscriptionAvailable, false)
})

for (const [index, way] of WAYS.entries()) {
  const other = WAYS[(index + 1) % WAYS.length]!
  test(`a client id that connects on the other node takes over from ${nameOf(way)}`, async t => {
    const options = { clientId: `twin-${index}` }
    const will = {
      topic: `twin/${index}`,
      payload: Buffer.from('taken over'),
      qos: 1,
      retain: false
    } as const
    const older = await MqttJs.connect(t, a, way, { ...options, will })
    const newer = await MqttJs.connect(t, b, other, options)
    await eventually('the older connection is closed', () => older.closed)
    assert.deepEqual(older.disconnects, way.version === 5 ? [SESSION_TAKEN_OVER] : [])
    await newer.client.subscribeAsync(`still/${index}`, { qos: 1 })
    await newer.client.publishAsync(`still/${index}`, 'here', { qos: 1 })
    await newer.until(1)
    assert.equal(newer.closed, false)
  })
}

test('the page of one node, in Chromium, and MQTT on the other hear each other', async t => {
  if (!requireTool(t, 'chromium') || !hasMosquitto(t)) return
  const sub = await MosquittoSub.start(t, a, ['-q', '1', '-t', 'page/from'])
  const page = await (await startBrowser(t)).newPage()
  await page.goto(`${b.httpUrl}/`)
  await page.evaluate(`(async () => {
    const { connect } = await import('/client/index.js')
    globalThis.client = connect(location.href.replace('http', 'ws'))
    globalThis.heard = []
    await client.subscribe('page/#', ({ topic, text }) => heard.push(topic + ' ' + text)).ready
    await client.publish('page/from', 'the shoal – 魚', { qos: 1 })
  })()`)
  assert.deepEqual(await sub.until(1), [
    { topic: 'page/from', qos: 1, retained: false, text: 'the shoal – 魚' }
  ])
  await publishes(t, a, '-q', '1', '-t', 'page/to', '-m', 'the sea')
  await page.waitForFunction('heard.length === 2')
  assert.deepEqual(await page.evaluate('heard'), ['page/from the shoal – 魚', 'page/to the sea'])
})
