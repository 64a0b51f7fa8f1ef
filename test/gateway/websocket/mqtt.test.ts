// MQTT over WebSocket: the `mqtt` subprotocol on the web port, with MQTT.js and with raw frames.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { afterEach, beforeEach, describe, test } from 'node:test'
import mqtt, { type MqttClient } from 'mqtt'
import WebSocket from 'ws'
import { MqttGateway } from '../../../gateway/mqtt/index.ts'
import { listenWeb, type WebListener } from '../../../gateway/websocket/listener.ts'
import { withDeadline } from '../../support/deadline.ts'
import { eventually } from '../../support/eventually.ts'
import { FakeBroker } from '../../support/fake-broker.ts'
import { RawClient } from './raw-client.ts'

/** MQTT 3.1.1 CONNECT of client `c`, clean session, keep-alive 60 s. */
const CONNECT = Buffer.from([0x10, 13, 0, 4, 0x4d, 0x51, 0x54, 0x54, 4, 2, 0, 60, 0, 1, 0x63])
const PINGREQ = Buffer.from([0xc0, 0])

let broker: FakeBroker
let gateway: MqttGateway
let web: WebListener
const clients: MqttClient[] = []
const sockets: WebSocket[] = []

async function connect(version: 4 | 5): Promise<MqttClient> {
  const client = mqtt.connect(`ws://127.0.0.1:${web.address.port}/mqtt`, {
    protocolVersion: version,
    reconnectPeriod: 0
  })
  clients.push(client)
  client.on('error', () => {})
  await withDeadline(new Promise<void>(resolve => client.once('connect', () => resolve())), 'connected')
  return client
}

async function open(): Promise<{ socket: WebSocket; bytes: () => Buffer }> {
  const socket = new WebSocket(`ws://127.0.0.1:${web.address.port}/mqtt`, ['mqtt'])
  sockets.push(socket)
  socket.on('error', () => {})
  const chunks: Buffer[] = []
  socket.on('message', (data, isBinary) => {
    assert.ok(isBinary)
    chunks.push(data as Buffer)
  })
  await withDeadline(once(socket, 'open'), 'open')
  assert.equal(socket.protocol, 'mqtt')
  return { socket, bytes: () => Buffer.concat(chunks) }
}

describe('MQTT over WebSocket', () => {
  beforeEach(async () => {
    broker = new FakeBroker()
    gateway = new MqttGateway(broker)
    web = await listenWeb(broker, { port: 0, inboxBytesMax: 20_000, lingerMs: 5 }, transport =>
      gateway.accept(transport)
    )
  })

  afterEach(async () => {
    for (const client of clients.splice(0)) client.end(true)
    for (const socket of sockets.splice(0)) socket.terminate()
    await gateway.close()
    await web.close()
  })

  for (const version of [4, 5] as const) {
    test(`MQTT.js publishes and subscribes, version ${version}`, async () => {
      const a = await connect(version)
      const b = await connect(version)
      await withDeadline(b.subscribeAsync('x/#', { qos: 1 }), 'subscribed')
      const count = 300
      const received: string[] = []
      const all = new Promise<void>(resolve => {
        b.on('message', (_topic, payload) => {
          received.push(payload.toString())
          if (received.length === count) resolve()
        })
      })
      const published = Array.from({ length: count }, (_, i) =>
        a.publishAsync('x/y', `message ${i}`, { qos: 1 })
      )
      await withDeadline(Promise.all(published), 'published')
      await withDeadline(all, 'received')
      assert.deepEqual(
        received,
        Array.from({ length: count }, (_, i) => `message ${i}`)
      )
    })
  }

  test('a browser and an MQTT client on the same port reach each other', async () => {
    const device = await connect(5)
    const browser = await RawClient.connected(web.address.port)
    await browser.subscribe(1, 'from/device')
    await withDeadline(device.subscribeAsync('from/browser'), 'subscribed')
    const heard = new Promise<string>(resolve =>
      device.once('message', (_topic, payload) => resolve(String(payload)))
    )
    device.publish('from/device', '21 °C')
    browser.send({ t: 'publish', topic: 'from/browser', text: 'on' })
    assert.equal((await browser.message()).p, '21 °C')
    assert.equal(await withDeadline(heard, 'heard'), 'on')
    browser.close()
  })

  test('packets may span frames, and frames hold several packets', async () => {
    const { socket, bytes } = await open()
    for (const byte of CONNECT) socket.send(Buffer.of(byte))
    socket.send(Buffer.concat([PINGREQ, PINGREQ, PINGREQ.subarray(0, 1)]))
    socket.send(Buffer.alloc(0))
    socket.send(PINGREQ.subarray(1))
    await eventually('four answers', () => bytes().length === 4 + 3 * 2, { everyMs: 1 })
    assert.equal(bytes().toString('hex'), '20020000d000d000d000')
  })

  test('a text frame closes the connection', async () => {
    const { socket } = await open()
    socket.send(CONNECT)
    socket.send('text')
    const [code] = await withDeadline(once(socket, 'close'), 'closed')
    assert.equal(code, 1003)
    await eventually('the gateway has forgotten it', () => gateway.connections.size === 0)
  })

  test('bytes that are no MQTT close the connection', async () => {
    const { socket } = await open()
    socket.send(Buffer.from('GET / HTTP/1.1\r\n\r\n'))
    await withDeadline(once(socket, 'close'), 'closed')
    await eventually('the gateway has forgotten it', () => gateway.connections.size === 0)
  })

  test('a client that is paused and goes on sending is bounded', async () => {
    const { socket } = await open()
    socket.send(CONNECT)
    broker.congested = true
    const payload = Buffer.alloc(1_000)
    const publish = Buffer.concat([Buffer.of(0x30, 0xeb, 7, 0, 1, 0x78), payload])
    for (let i = 0; i < 40; i++) socket.send(publish)
    const [code] = await withDeadline(once(socket, 'close'), 'closed')
    assert.equal(code, 1008)
    assert.equal(broker.published.length, 1)
    await eventually('the gateway has forgotten it', () => gateway.connections.size === 0)
  })

  test('a paused client goes on where it was', async () => {
    const { socket, bytes } = await open()
    socket.send(CONNECT)
    broker.congested = true
    for (let i = 0; i < 5; i++) socket.send(Buffer.of(0x30, 4, 0, 1, 0x78, 48 + i))
    socket.send(PINGREQ)
    await eventually('the first is published', () => broker.published.length === 1, { everyMs: 1 })
    broker.drain()
    await eventually('the ping is answered', () => bytes().length === 6, { everyMs: 1 })
    assert.deepEqual(
      broker.published.map(message => Buffer.from(message.payload()).toString()),
      ['0', '1', '2', '3', '4']
    )
  })

  test('no more MQTT clients than allowed', async () => {
    const small = new MqttGateway(broker, { connectionsMax: 0 })
    const listener = await listenWeb(broker, { port: 0, lingerMs: 5 }, transport => small.accept(transport))
    const socket = new WebSocket(`ws://127.0.0.1:${listener.address.port}`, ['mqtt'])
    socket.on('error', () => {})
    await withDeadline(once(socket, 'close'), 'closed')
    await listener.close()
    await small.close()
  })
})
