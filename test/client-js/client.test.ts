// The client against the real gateway, over real sockets.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { afterEach, beforeEach, describe, test } from 'node:test'
import WebSocket from 'ws'
import { ShoalError } from '../../broker/errors.ts'
import { Message as BrokerMessage } from '../../broker/message.ts'
import {
  type Client,
  ClientError,
  type ConnectOptions,
  connect,
  DISCONNECT,
  type Disconnected,
  type Message,
  type WebSocketConstructor
} from '../../client-js/index.ts'
import { listenWeb, type WebListener } from '../../gateway/websocket/listener.ts'
import type { WebOptions } from '../../gateway/websocket/options.ts'
import { withDeadline } from '../support/deadline.ts'
import { eventually } from '../support/eventually.ts'
import { FakeBroker } from '../support/fake-broker.ts'
import { freePort } from '../support/free-port.ts'

let broker: FakeBroker
let web: WebListener
const clients: Client[] = []

const gatewayOptions: Partial<WebOptions> = { frameBytesMax: 50_000, publishWindow: 4, lingerMs: 5 }
const Constructor = WebSocket as unknown as WebSocketConstructor

function open(
  options: ConnectOptions = {},
  url: string | string[] = `ws://127.0.0.1:${web.address.port}`
): Client {
  const client = connect(url, { WebSocket: Constructor, reconnect: { minMs: 5, maxMs: 20 }, ...options })
  clients.push(client)
  return client
}

async function connected(options?: ConnectOptions): Promise<Client> {
  const client = open(options)
  await withDeadline(client.ready(), 'connected')
  return client
}

function publish(topic: string, payload: string | Uint8Array, retain = false): void {
  const bytes = Buffer.from(payload)
  broker.publish(new BrokerMessage(broker.topic(topic), bytes, 0, bytes.length, 0, retain))
}

/** Stops the gateway, and starts another one on the same port. */
async function restart(): Promise<void> {
  const { port } = web.address
  await web.close()
  web = await listenWeb(broker, { ...gatewayOptions, port })
}

function next<Name extends 'connected' | 'disconnected' | 'closed' | 'error'>(client: Client, name: Name) {
  type Event = Parameters<Parameters<typeof client.on<Name>>[1]>[0]
  return withDeadline(
    new Promise<Event>(resolve => {
      const off = client.on(name, event => {
        off()
        resolve(event)
      })
    }),
    name
  )
}

function received(count: number): {
  messages: Message[]
  all: Promise<Message[]>
  handler: (m: Message) => void
} {
  const messages: Message[] = []
  let done: (messages: Message[]) => void
  const all = withDeadline(new Promise<Message[]>(resolve => (done = resolve)), `${count} messages`)
  const handler = (message: Message): void => {
    messages.push(message)
    if (messages.length === count) done(messages)
  }
  return { messages, all, handler }
}

describe('the client', () => {
  beforeEach(async () => {
    broker = new FakeBroker()
    // Not 0: only a port that was asked for can be listened on again at once.
    web = await listenWeb(broker, { ...gatewayOptions, port: await freePort() })
  })

  afterEach(async () => {
    for (const client of clients.splice(0)) client.close()
    await web.close()
  })

  test('connects, tells its states, and closes', async () => {
    const client = open()
    const states: string[] = []
    client.on('state', state => states.push(state))
    assert.equal(client.state, 'connecting')
    const { node, client: id } = await next(client, 'connected')
    assert.equal(node, broker.id)
    assert.equal(client.node, broker.id)
    assert.match(id, /^web-/)
    const closed = next(client, 'closed')
    client.close()
    client.close()
    assert.equal(await closed, null)
    assert.deepEqual(states, ['connected', 'closed'])
    await assert.rejects(client.ready(), { code: 'CLOSED' })
    await assert.rejects(client.publish('a', ''), { code: 'CLOSED' })
    await assert.rejects(client.subscribe('a').ready, { code: 'CLOSED' })
  })

  test('payloads of all kinds come back as they were', async () => {
    const client = await connected()
    const { all, handler } = received(4)
    await client.subscribe('p/#', handler).ready
    await client.publish('p/text', 'Grüße "🐟"\n')
    await client.publish('p/bytes', Uint8Array.of(255, 0, 128))
    await client.publish('p/json', { a: [1, null, 'x'] })
    await client.publish('p/number', 7, { qos: 1 })
    const [text, bytes, json, number] = await all
    assert.equal(text!.text, 'Grüße "🐟"\n')
    assert.deepEqual(bytes!.bytes, Uint8Array.of(255, 0, 128))
    assert.equal(bytes!.text.length, 3)
    assert.deepEqual(json!.json(), { a: [1, null, 'x'] })
    assert.deepEqual(new TextDecoder().decode(json!.bytes), '{"a":[1,null,"x"]}')
    assert.equal(number!.json(), 7)
    assert.deepEqual(
      [number!.topic, number!.epoch, number!.offset, number!.retained],
      ['p/number', 1, 1, false]
    )
  })

  test('each message reaches the subscriptions that match it, and no others', async () => {
    const client = await connected()
    const a = received(2)
    const b = received(1)
    const c = received(1)
    await client.subscribe('x/+', a.handler).ready
    await client.subscribe('x/#', b.handler).ready
    await client.subscribe('x/1', c.handler).ready
    publish('x/1', '1')
    publish('x/2', '2')
    await a.all
    assert.deepEqual(
      [a, b, c].map(({ messages }) => messages.map(({ text }) => text)),
      [['1', '2'], ['1', '2'], ['1']]
    )
  })

  test('what is retained reaches the new subscription only', async () => {
    publish('kept', 'old', true)
    const client = await connected()
    const first = received(1)
    await client.subscribe('kept', first.handler).ready
    assert.equal((await first.all)[0]!.retained, true)
    const second = received(1)
    const third = received(1)
    await Promise.all([
      client.subscribe('kept', second.handler).ready,
      client.subscribe('#', third.handler).ready
    ])
    await Promise.all([second.all, third.all])
    assert.deepEqual(
      [first, second, third].map(({ messages }) => messages.length),
      [1, 1, 1]
    )
  })

  test('a filter is unsubscribed when its last subscription closes', async () => {
    const client = await connected()
    const a = client.subscribe('x')
    const b = client.subscribe('x')
    await Promise.all([a.ready, b.ready])
    a.close()
    await client.publish('other', '', { qos: 1 })
    assert.equal(broker.count, 1)
    b.close()
    await client.publish('other', '', { qos: 1 })
    assert.equal(broker.count, 0)
  })

  test('a subscription is iterated, and leaving the loop unsubscribes', async () => {
    const client = await connected()
    const subscription = client.subscribe('x')
    await subscription.ready
    for (const text of ['a', 'b', 'c']) publish('x', text)
    const texts: string[] = []
    for await (const message of subscription) {
      texts.push(message.text)
      if (texts.length === 3) break
    }
    assert.deepEqual(texts, ['a', 'b', 'c'])
    await client.publish('other', '', { qos: 1 })
    assert.equal(broker.count, 0)
  })

  test('an iterator that is not read is bounded by its policy', async () => {
    const client = await connected()
    const last = received(5)
    const oldest = client.subscribe('x', null, { queueMax: 2 })
    const newest = client.subscribe('x', null, { queueMax: 2, overflow: 'drop-newest' })
    const error = client.subscribe('x', null, { queueMax: 2, overflow: 'error' })
    const all = client.subscribe('x', last.handler)
    await Promise.all([oldest.ready, newest.ready, error.ready, all.ready])
    for (let i = 1; i <= 5; i++) publish('x', String(i))
    await last.all
    const texts = async (subscription: typeof oldest): Promise<string[]> => {
      subscription.close()
      const found: string[] = []
      for await (const { text } of subscription) found.push(text)
      return found
    }
    assert.deepEqual([await texts(oldest), oldest.dropped], [['4', '5'], 3])
    assert.deepEqual([await texts(newest), newest.dropped], [['1', '2'], 3])
    await assert.rejects(texts(error), { code: 'QUEUE_FULL' })
  })

  test('a refused subscription tells why, and the client goes on', async () => {
    const client = await connected()
    const event = next(client, 'error')
    await assert.rejects(client.subscribe('a/#/b').ready, (error: ClientError) => {
      assert.ok(error instanceof ClientError)
      assert.deepEqual([error.code, error.retryable], ['FILTER_INVALID', false])
      return true
    })
    assert.equal((await event).code, 'FILTER_INVALID')
    await client.subscribe('a').ready
  })

  test('a subscription that fails for now is tried again', async () => {
    broker.subscribeError = new ShoalError('TIMEOUT')
    const client = await connected()
    const subscription = client.subscribe('a')
    await client.publish('x', '', { qos: 1 })
    broker.subscribeError = null
    await withDeadline(subscription.ready, 'subscribed')
  })

  test('publishes at QoS 1 are answered each on its own, and errors have codes', async () => {
    const client = await connected()
    await client.subscribe('heard').ready
    assert.deepEqual(await client.publish('heard', '', { qos: 1 }), { matched: true })
    assert.deepEqual(await client.publish('unheard', '', { qos: 1 }), { matched: false })
    await assert.rejects(client.publish('a/+', '', { qos: 1 }), { code: 'TOPIC_INVALID', retryable: false })
    broker.reason = 0x83
    await assert.rejects(client.publish('a', '', { qos: 1 }), { code: 'TIMEOUT', retryable: true })
    const refused = next(client, 'error')
    await client.publish('a/+', '')
    assert.equal((await refused).code, 'TOPIC_INVALID')
  })

  test('no more are sent than the window allows, and all arrive in order', async () => {
    const client = await connected()
    broker.holdReceipts = true
    const published = Array.from({ length: 10 }, (_, i) => client.publish('x', String(i), { qos: 1 }))
    await eventually('the window is full', () => broker.receipts.length === 4, { everyMs: 1 })
    broker.holdReceipts = false
    for (let i = 0; i < 4; i++) broker.settle()
    await withDeadline(Promise.all(published), 'all are published')
    assert.deepEqual(
      broker.published.map(message => Buffer.from(message.payload()).toString()),
      ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9']
    )
  })

  test('publishes are bounded in number and size', async () => {
    const client = await connected({ queueMax: 2 })
    await assert.rejects(client.publish('x', 'y'.repeat(50_000)), { code: 'PAYLOAD_TOO_LARGE' })
    await assert.rejects(client.publish('x', 'ü'.repeat(25_000), { qos: 1 }), { code: 'PAYLOAD_TOO_LARGE' })
    assert.equal(client.state, 'connected')
    broker.holdReceipts = true
    const held = [client.publish('x', '', { qos: 1 }), client.publish('x', '', { qos: 1 })]
    await assert.rejects(client.publish('x', '', { qos: 1 }), { code: 'QUEUE_FULL', retryable: true })
    await eventually('both are held', () => broker.receipts.length === 2, { everyMs: 1 })
    broker.settle()
    broker.settle()
    await Promise.all(held)
  })

  test('without a connection QoS 0 is refused, and QoS 1 waits for one', async () => {
    const client = open()
    await assert.rejects(client.publish('x', 'zero'), { code: 'NOT_CONNECTED', retryable: true })
    await client.publish('x', 'one', { qos: 1 })
    assert.equal(broker.published.length, 1)
  })

  test('after a drop it connects again, subscribes again, and sends again what was not answered', async () => {
    const client = await connected()
    const messages: Message[] = []
    await client.subscribe('x', message => messages.push(message)).ready
    broker.holdReceipts = true
    const first = client.publish('x', 'first', { qos: 1 })
    await eventually('it was sent', () => broker.receipts.length === 1, { everyMs: 1 })
    const dropped = next(client, 'disconnected')
    await restart()
    const { code, retryInMs } = await dropped
    assert.equal(code, DISCONNECT.SHUTDOWN)
    assert.ok(retryInMs !== null && retryInMs <= 20)
    const second = client.publish('x', 'second', { qos: 1 })
    broker.holdReceipts = false
    broker.receipts.length = 0
    await withDeadline(Promise.all([first, second]), 'both are published')
    await eventually('all came', () => messages.length === 3, { everyMs: 1 })
    // At least once: the one without an answer came twice.
    assert.deepEqual(
      messages.map(({ text }) => text),
      ['first', 'first', 'second']
    )
    assert.equal(broker.count, 1)
  })

  test('delays between attempts grow, and are never quite the same', async () => {
    const { port } = web.address
    await web.close()
    const client = open({ reconnect: { minMs: 8, maxMs: 32 } }, `ws://127.0.0.1:${port}`)
    const delays: number[] = []
    client.on('disconnected', ({ code, retryInMs }: Disconnected) => {
      assert.equal(code, 1006)
      delays.push(retryInMs!)
    })
    await eventually('six attempts', () => delays.length >= 6, { everyMs: 1 })
    for (const [i, delay] of delays.entries()) {
      const bound = Math.min(32, 8 * 2 ** i)
      assert.ok(delay >= bound / 2 && delay <= bound, `${delay} of ${bound}`)
    }
    web = await listenWeb(broker, { ...gatewayOptions, port })
    await withDeadline(client.ready(), 'connected at last')
  })

  test('of several URLs the next one is tried', async () => {
    const other = await listenWeb(broker, { ...gatewayOptions, port: 0 })
    await other.close()
    const client = open({}, [`ws://127.0.0.1:${other.address.port}`, `ws://127.0.0.1:${web.address.port}`])
    await withDeadline(client.ready(), 'connected')
  })

  test('a client whose id is taken over does not come back', async () => {
    const older = await connected({ clientId: 'me' })
    const disconnected = next(older, 'disconnected')
    const closed = next(older, 'closed')
    const held = older.subscribe('x')
    await held.ready
    await connected({ clientId: 'me' })
    assert.deepEqual(await disconnected.then(({ code, retryInMs }) => [code, retryInMs]), [
      DISCONNECT.TAKEN_OVER,
      null
    ])
    assert.equal((await closed)?.code, 'REFUSED')
    assert.equal(older.state, 'closed')
    await assert.rejects(held.next(), { code: 'REFUSED' })
  })

  test('a gateway that accepts and says nothing is given up', async () => {
    const { WebSocketServer } = await import('ws')
    const silent = new WebSocketServer({ port: 0, host: '127.0.0.1' })
    await once(silent, 'listening')
    const address = silent.address()
    assert.ok(typeof address === 'object' && address !== null)
    const client = open({ connectTimeoutMs: 20 }, [
      `ws://127.0.0.1:${address.port}`,
      `ws://127.0.0.1:${web.address.port}`
    ])
    await withDeadline(client.ready(), 'connected to the other')
    silent.close()
    for (const socket of silent.clients) socket.terminate()
  })

  test('a connection that has gone silent is noticed by its missing pongs', async () => {
    const { WebSocketServer } = await import('ws')
    const silent = new WebSocketServer({ port: 0, host: '127.0.0.1' })
    let pings = 0
    silent.on('connection', socket => {
      const limits = { frameBytes: 1_000, subscriptions: 1, publishWindow: 1, pingMs: 20 }
      socket.on('message', data => {
        if (String(data).includes('ping')) pings++
        else socket.send(JSON.stringify({ t: 'welcome', version: 1, client: 'c', node: 'n', limits }))
      })
    })
    await once(silent, 'listening')
    const address = silent.address()
    assert.ok(typeof address === 'object' && address !== null)
    const client = open({}, `ws://127.0.0.1:${address.port}`)
    const { code, reason } = await next(client, 'disconnected')
    assert.deepEqual([code, reason], [1006, 'the gateway is silent'])
    assert.ok(pings > 0)
    client.close()
    silent.close()
    for (const socket of silent.clients) socket.terminate()
  })

  test('a server that speaks another protocol is left, again and again', async () => {
    const { WebSocketServer } = await import('ws')
    const stranger = new WebSocketServer({ port: 0, host: '127.0.0.1' })
    const answers = ['hello', '[1', 'null', '"x"', Buffer.of(1)]
    stranger.on('connection', socket => socket.send(answers.shift() ?? '7'))
    await once(stranger, 'listening')
    const address = stranger.address()
    assert.ok(typeof address === 'object' && address !== null)
    const client = open({}, `ws://127.0.0.1:${address.port}`)
    for (let i = 0; i < 5; i++) assert.equal((await next(client, 'disconnected')).code, 1006)
    client.close()
    stranger.close()
    for (const socket of stranger.clients) socket.terminate()
  })

  test('a handler that throws takes nothing from the others', async t => {
    const client = await connected()
    const thrown = new Promise<Error>(resolve => {
      const listeners = process.listeners('uncaughtException')
      process.removeAllListeners('uncaughtException')
      process.once('uncaughtException', resolve)
      t.after(() => {
        for (const listener of listeners) process.on('uncaughtException', listener)
      })
    })
    const { all, handler } = received(1)
    await client.subscribe('x', () => {
      throw new Error('from the handler')
    }).ready
    await client.subscribe('x', handler).ready
    publish('x', '')
    await all
    assert.equal((await thrown).message, 'from the handler')
  })

  test('closing rejects what is not answered, and ends the subscriptions', async () => {
    const client = await connected()
    broker.holdReceipts = true
    const published = client.publish('x', '', { qos: 1 })
    const subscription = client.subscribe('x')
    await subscription.ready
    const waiting = subscription.next()
    client.close()
    await assert.rejects(published, { code: 'CLOSED' })
    assert.deepEqual(await waiting, { value: undefined, done: true })
    await eventually('the gateway has let go', () => broker.count === 0, { everyMs: 1 })
  })

  test('a runtime without WebSocket is told so', () => {
    const original = Object.getOwnPropertyDescriptor(globalThis, 'WebSocket')
    Object.defineProperty(globalThis, 'WebSocket', { value: undefined, configurable: true, writable: true })
    try {
      assert.throws(() => connect('ws://127.0.0.1:1'), { code: 'BAD_REQUEST' })
    } finally {
      if (original === undefined) Reflect.deleteProperty(globalThis, 'WebSocket')
      else Object.defineProperty(globalThis, 'WebSocket', original)
    }
  })
})
