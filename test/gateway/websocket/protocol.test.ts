// The WebSocket protocol over real sockets, by hand.
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { Message } from '../../../broker/message.ts'
import { DISCONNECT } from '../../../client-js/wire.ts'
import { listenWeb, type WebListener } from '../../../gateway/websocket/listener.ts'
import { FakeBroker } from '../../support/fake-broker.ts'
import { RawClient } from './raw-client.ts'

let broker: FakeBroker
let web: WebListener
const clients: RawClient[] = []

function publish(topic: string, payload: string | Uint8Array, retain = false): Message {
  const bytes = Buffer.from(payload)
  const message = new Message(broker.topic(topic), bytes, 0, bytes.length, 0, retain)
  broker.publish(message)
  return message
}

async function client(id?: string): Promise<RawClient> {
  const raw = await RawClient.connected(web.address.port, id)
  clients.push(raw)
  return raw
}

async function stranger(): Promise<RawClient> {
  const raw = await RawClient.open(web.address.port)
  clients.push(raw)
  return raw
}

describe('the WebSocket protocol', () => {
  beforeEach(async () => {
    broker = new FakeBroker()
    web = await listenWeb(broker, {
      port: 0,
      frameBytesMax: 65_536,
      publishWindow: 4,
      subscriptionsMax: 3,
      inboxBytesMax: 20_000,
      lingerMs: 5
    })
  })

  afterEach(async () => {
    for (const raw of clients.splice(0)) raw.close()
    await web.close()
  })

  test('a client is welcomed with its id, the node and the limits', async () => {
    const { welcome } = await client()
    assert.equal(welcome.version, 1)
    assert.equal(welcome.node, broker.id)
    assert.match(welcome.client, /^web-/)
    assert.deepEqual(welcome.limits, {
      frameBytes: 65_536,
      subscriptions: 3,
      publishWindow: 4,
      pingMs: 25_000
    })
  })

  test('a message reaches the subscribers of its topic, with its place in the order', async () => {
    const a = await client()
    const b = await client()
    await a.subscribe(1, 'hello/#')
    await b.subscribe(1, 'hello/world')
    publish('hello/world', 'hi')
    assert.deepEqual(await a.message(), { m: 'hello/world', e: 1, o: 1, p: 'hi' })
    assert.deepEqual(await b.message(), { m: 'hello/world', e: 1, o: 1, p: 'hi' })
  })

  test('the messages of a tick travel in one frame', async () => {
    const a = await client()
    await a.subscribe(1, 'x')
    a.frames.length = 0
    for (let i = 0; i < 50; i++) publish('x', String(i))
    for (let i = 0; i < 50; i++) assert.equal((await a.message()).p, String(i))
    assert.deepEqual(a.frames, [50])
  })

  test('payloads are text when they are UTF-8, and base64 otherwise', async () => {
    const a = await client()
    await a.subscribe(1, '#')
    for (const text of ['', 'a "quoted" \\ one', 'Grüße 🐟', 'line\nline\r\u0000\u2028']) {
      publish('text', text)
      const { p } = await a.message()
      assert.equal(p, text)
    }
    publish('bytes', Uint8Array.of(0xff, 0, 0xfe))
    assert.deepEqual(await a.message(), { m: 'bytes', e: 1, o: 1, b: '/wD+' })
    publish('Umläute "q"', 'x'.repeat(40_000))
    const large = await a.message()
    assert.equal(large.m, 'Umläute "q"')
    assert.equal(large.p?.length, 40_000)
  })

  test('a subscription is sent what is retained, marked with its request', async () => {
    publish('kept/a', 'A', true)
    publish('kept/b', 'B', true)
    const a = await client()
    a.send({ t: 'subscribe', id: 7, filter: 'kept/+' })
    await a.take('subscribed')
    assert.deepEqual(await a.message(), { m: 'kept/a', e: 1, o: 1, r: 1, s: 7, p: 'A' })
    assert.deepEqual(await a.message(), { m: 'kept/b', e: 1, o: 1, r: 1, s: 7, p: 'B' })
  })

  test('after unsubscribed nothing comes, and unsubscribing twice is answered', async () => {
    const a = await client()
    await a.subscribe(1, 'x')
    a.send({ t: 'unsubscribe', id: 2, filter: 'x' }, { t: 'unsubscribe', id: 3, filter: 'x' })
    assert.equal((await a.take('unsubscribed')).id, 2)
    assert.equal((await a.take('unsubscribed')).id, 3)
    assert.equal(broker.count, 0)
  })

  test('a publish at QoS 1 is answered when its receipt comes, with the reason', async () => {
    const a = await client()
    broker.holdReceipts = true
    a.send({ t: 'publish', id: 11, topic: 'x', text: 'one', qos: 1 }, { t: 'ping' })
    await a.take('pong')
    assert.equal(broker.receipts.length, 1)
    assert.equal(Buffer.from(broker.receipts[0]!.message.payload()).toString(), 'one')
    broker.settle()
    assert.deepEqual(await a.take('published'), { t: 'published', id: 11, reason: 16 })
  })

  test('a refused receipt is an error with a code', async () => {
    const a = await client()
    broker.reason = 0x97
    a.send({ t: 'publish', id: 1, topic: 'x', text: '', qos: 1 })
    const error = await a.take('error')
    assert.equal(error.id, 1)
    assert.equal(error.code, 'LIMIT_EXCEEDED')
    broker.reason = 0x83
    a.send({ t: 'publish', id: 2, topic: 'x', text: '', qos: 1 })
    assert.equal((await a.take('error')).retryable, true)
  })

  test('payloads are published from text, JSON and base64', async () => {
    const a = await client()
    a.send(
      { t: 'publish', topic: 'x', text: 'ü' },
      { t: 'publish', topic: 'x', json: { a: [1, null] } },
      { t: 'publish', topic: 'x', base64: '/wD+', retain: true },
      { t: 'ping' }
    )
    await a.take('pong')
    const payloads = broker.published.map(message => Buffer.from(message.payload()).toString('latin1'))
    assert.deepEqual(payloads, [Buffer.from('ü').toString('latin1'), '{"a":[1,null]}', '\xff\0\xfe'])
    assert.equal(broker.published[2]!.retain, true)
  })

  test('a bad request is answered with its id, and the connection goes on', async () => {
    const a = await client()
    for (const [line, code] of [
      ['{"t":"publish","id":1,"topic":"a/#","text":"","qos":1}', 'TOPIC_INVALID'],
      ['{"t":"publish","id":1,"topic":"a","qos":1}', 'BAD_REQUEST'],
      ['{"t":"publish","id":1,"topic":"a","text":"","json":1}', 'BAD_REQUEST'],
      ['{"t":"publish","id":1,"topic":"a","text":"","qos":2}', 'BAD_REQUEST'],
      ['{"t":"publish","id":1,"topic":"a","text":"","retain":1}', 'BAD_REQUEST'],
      ['{"t":"publish","id":1,"topic":"a","base64":"%%%"}', 'BAD_REQUEST'],
      ['{"t":"publish","id":1,"text":""}', 'BAD_REQUEST'],
      ['{"t":"subscribe","id":1,"filter":"a/#/b"}', 'FILTER_INVALID'],
      ['{"t":"subscribe","id":1}', 'BAD_REQUEST']
    ] as const) {
      a.sendText(line)
      const error = await a.take('error')
      assert.equal(error.code, code, line)
      assert.equal(error.id, 1, line)
    }
    assert.equal(broker.published.length, 0)
    assert.equal(broker.count, 0)
  })

  test('what is not the protocol closes the connection for good', async () => {
    const lines = ['nonsense', '[]', 'null', '{}', '{"t":"fly"}', '{"t":"subscribe","filter":"x"}']
    for (const line of [...lines, '{"t":"subscribe","id":1.5,"filter":"x"}', '{"t":"connect","version":1}']) {
      const a = await client()
      a.sendText(line)
      const { goodbye, code } = await a.end()
      assert.equal(goodbye.code, DISCONNECT.PROTOCOL, line)
      assert.equal(code, DISCONNECT.PROTOCOL, line)
    }
    const b = await client()
    b.socket.send(Buffer.from('{"t":"ping"}'))
    assert.equal((await b.end()).code, DISCONNECT.PROTOCOL)
  })

  test('the first request is connect, of a version that the gateway speaks', async () => {
    const a = await stranger()
    a.send({ t: 'ping' })
    assert.equal((await a.end()).code, DISCONNECT.PROTOCOL)
    const b = await stranger()
    b.send({ t: 'connect', version: 99 })
    assert.equal((await b.end()).code, DISCONNECT.VERSION)
  })

  test('a node that does not serve says so, and to come again', async () => {
    broker.ready = false
    const a = await stranger()
    a.send({ t: 'connect', version: 1 })
    assert.equal((await a.end()).code, DISCONNECT.UNAVAILABLE)
  })

  test('a client id is held by one connection: the older one is closed', async () => {
    const older = await client('me')
    const newer = await client('me')
    assert.equal((await older.end()).code, DISCONNECT.TAKEN_OVER)
    newer.send({ t: 'ping' })
    await newer.take('pong')
    newer.close()
    await newer.closed()
    await until(() => broker.holders.size === 0)
  })

  test('subscriptions are limited, and a failed one leaves room', async () => {
    const a = await client()
    for (const [index, filter] of ['a', 'b'].entries()) await a.subscribe(index + 1, filter)
    a.send({ t: 'subscribe', id: 3, filter: '##' })
    assert.equal((await a.take('error')).code, 'FILTER_INVALID')
    await a.subscribe(4, 'c')
    a.send({ t: 'subscribe', id: 5, filter: 'd' })
    const error = await a.take('error')
    assert.deepEqual([error.id, error.code], [5, 'LIMIT_EXCEEDED'])
    await a.subscribe(6, 'a')
  })

  test('publishes without an answer are limited', async () => {
    const a = await client()
    broker.holdReceipts = true
    for (let id = 1; id <= 5; id++) a.send({ t: 'publish', id, topic: 'x', text: '', qos: 1 })
    const error = await a.take('error')
    assert.deepEqual([error.id, error.code], [5, 'LIMIT_EXCEEDED'])
    broker.settle()
    await a.take('published')
    a.send({ t: 'publish', id: 6, topic: 'x', text: '', qos: 1 }, { t: 'ping' })
    await a.take('pong')
    assert.equal(broker.receipts.length, 4)
  })

  test('while the cluster is congested requests wait, in order, and go on when it is not', async () => {
    const a = await client()
    broker.congested = true
    for (let i = 0; i < 3; i++) a.send({ t: 'publish', topic: 'x', text: String(i) })
    await until(() => broker.published.length === 1)
    broker.drain()
    await until(() => broker.published.length === 3)
    assert.deepEqual(
      broker.published.map(message => Buffer.from(message.payload()).toString()),
      ['0', '1', '2']
    )
  })

  test('who floods a congested cluster is closed, and may come again', async () => {
    const a = await client()
    broker.congested = true
    for (let i = 0; i < 30; i++) a.send({ t: 'publish', topic: 'x', text: 'y'.repeat(1_000) })
    assert.equal((await a.end()).code, DISCONNECT.OVERLOADED)
    assert.equal(broker.published.length, 1)
  })

  test('a frame that is too large closes the connection', async () => {
    const a = await client()
    a.sendText(JSON.stringify({ t: 'publish', topic: 'x', text: 'y'.repeat(70_000) }))
    assert.notEqual(await a.closed(), 0)
    assert.equal(broker.published.length, 0)
  })

  test('a subscription that fails tells its code', async () => {
    const { ShoalError } = await import('../../../broker/errors.ts')
    broker.subscribeError = new ShoalError('TIMEOUT')
    const a = await client()
    a.send({ t: 'subscribe', id: 1, filter: 'x' })
    const error = await a.take('error')
    assert.deepEqual([error.code, error.retryable], ['TIMEOUT', true])
  })

  test('a client that goes while it subscribes leaves no subscription behind', async () => {
    const a = await client()
    broker.holdSubscribes = true
    a.send({ t: 'subscribe', id: 1, filter: 'x' })
    await until(() => broker.count === 1)
    a.close()
    await until(() => broker.count === 0)
    broker.releaseSubscribes()
    await new Promise(resolve => setImmediate(resolve))
    assert.equal(broker.count, 0)
    assert.equal(web.counters.connections, 0)
  })

  test('closing the gateway says goodbye to all', async () => {
    const a = await client()
    const b = await client()
    await web.close()
    assert.equal((await a.end()).code, DISCONNECT.SHUTDOWN)
    assert.equal((await b.end()).code, DISCONNECT.SHUTDOWN)
  })
})

/** Waits for a condition that an event of a socket will bring about. */
async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 5_000
  while (!condition()) {
    assert.ok(performance.now() < deadline, `in time: ${condition}`)
    await new Promise(resolve => setImmediate(resolve))
  }
}
