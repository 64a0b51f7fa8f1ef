// Clients that misbehave: the others, and the node's memory, notice nothing.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { afterEach, beforeEach, describe, test } from 'node:test'
import fc from 'fast-check'
import WebSocket from 'ws'
import { Message } from '../../../broker/message.ts'
import { DISCONNECT } from '../../../client-js/wire.ts'
import { listenWeb, type WebListener } from '../../../gateway/websocket/listener.ts'
import type { WebOptions } from '../../../gateway/websocket/options.ts'
import { withDeadline } from '../../support/deadline.ts'
import { eventually } from '../../support/eventually.ts'
import { FakeBroker } from '../../support/fake-broker.ts'
import { RawClient } from './raw-client.ts'

const HANDSHAKE =
  'GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n' +
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n'

let broker: FakeBroker
let web: WebListener
const sockets: { destroy(): void }[] = []

async function listen(options: Partial<WebOptions> = {}): Promise<void> {
  web = await listenWeb(broker, { port: 0, lingerMs: 5, ...options })
}

async function client(): Promise<RawClient> {
  const raw = await RawClient.connected(web.address.port)
  sockets.push({ destroy: () => raw.close() })
  return raw
}

function tcp(): Socket {
  const socket = connect(web.address.port, '127.0.0.1')
  socket.on('error', () => {})
  sockets.push(socket)
  return socket
}

function publish(topic: string, payload: Buffer): void {
  broker.publish(new Message(broker.topic(topic), payload, 0, payload.length, 0, false))
}

async function refusal(options: WebSocket.ClientOptions, protocols: string[] = []): Promise<number> {
  const socket = new WebSocket(`ws://127.0.0.1:${web.address.port}/`, protocols, options)
  socket.on('error', () => {})
  const status = new Promise<number>(resolve => {
    socket.on('unexpected-response', (_request, response) => resolve(response.statusCode ?? 0))
    socket.on('open', () => resolve(101))
  })
  const result = await withDeadline(status, 'an answer')
  socket.terminate()
  return result
}

describe('the web gateway, misused', () => {
  beforeEach(() => {
    broker = new FakeBroker()
    broker.record = false
  })

  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy()
    await web.close()
  })

  test('a client that never reads is bounded, told what it missed, and closed; others get everything', async () => {
    await listen({ outboxBytesMax: 500_000 })
    const good = await client()
    await good.subscribe(1, 'x')
    const slow = await client()
    await slow.subscribe(1, 'x')
    // Takes nothing more from the system: its buffers fill, then the outbox.
    slow.socket.pause()
    const payload = Buffer.alloc(10_000, 'x')
    let published = 0
    for (let round = 0; round < 3_000 && web.counters.slowClosed === 0; round++) {
      for (let i = 0; i < 10; i++, published++) publish('x', payload)
      await eventually('the good one keeps up', () => good.received.length >= published, { everyMs: 0 })
    }
    assert.equal(web.counters.slowClosed, 1)
    assert.ok(web.counters.messagesMissed > 0)
    assert.equal(broker.count, 1)
    slow.socket.resume()
    const { goodbye, code } = await slow.end()
    assert.deepEqual([goodbye.code, code], [DISCONNECT.SLOW, DISCONNECT.SLOW])
    assert.equal(goodbye.missed, web.counters.messagesMissed)
    // All that was published until then has come, or is counted as missed.
    const came = slow.received.filter(object => !('t' in object)).length
    assert.equal(came + goodbye.missed!, published)
  })

  test('frames of random and broken JSON close the connection or are answered, and nothing else', async () => {
    await listen()
    const good = await client()
    await good.subscribe(1, 'still/here')
    const fields = fc.record(
      {
        t: fc.constantFrom('connect', 'subscribe', 'unsubscribe', 'publish', 'ping', 'welcome', 1),
        id: fc.oneof(fc.integer(), fc.double(), fc.string()),
        filter: fc.oneof(fc.string(), fc.anything()),
        topic: fc.oneof(fc.string({ unit: 'binary' }), fc.anything()),
        text: fc.oneof(fc.string(), fc.anything()),
        json: fc.jsonValue(),
        qos: fc.integer({ min: -1, max: 3 }),
        retain: fc.oneof(fc.boolean(), fc.anything())
      },
      { requiredKeys: [] }
    )
    const frames = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.json(),
      fields.map(object => safeJson(object)),
      fields.map(object => safeJson(object).slice(0, -3))
    )
    const connected = fc.boolean()
    await fc.assert(
      fc.asyncProperty(
        connected,
        fc.array(frames, { minLength: 1, maxLength: 5 }),
        async (welcomed, texts) => {
          const raw = welcomed
            ? await RawClient.connected(web.address.port)
            : await RawClient.open(web.address.port)
          for (const text of texts) raw.sendText(text)
          raw.socket.close()
          await raw.closed()
        }
      ),
      { numRuns: 150 }
    )
    publish('still/here', Buffer.from('yes'))
    assert.equal((await good.message()).p, 'yes')
    await eventually('all others are forgotten', () => web.counters.connections === 1 && broker.count === 1)
  })

  test('random bytes on the port, before and after the handshake, harm nobody', async () => {
    await listen()
    const good = await client()
    await good.subscribe(1, 'still/here')
    const requests = ['', 'GET /owner?topic=%zz%', 'POST /publish?topic=%%&qos=', 'GET ', HANDSHAKE]
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...requests),
        fc.uint8Array({ minLength: 1, maxLength: 500 }),
        async (head, bytes) => {
          const socket = tcp()
          await once(socket, 'connect')
          socket.write(head)
          socket.end(bytes)
          socket.resume()
          await withDeadline(once(socket, 'close'), 'closed', 15_000)
        }
      ),
      { numRuns: 60 }
    )
    publish('still/here', Buffer.from('yes'))
    assert.equal((await good.message()).p, 'yes')
  })

  test('a client that sends a byte at a time is served like any other', async () => {
    await listen()
    const good = await client()
    await good.subscribe(1, 'slow')
    const http = tcp()
    http.write('POST /publish?topic=slow&qos=1 HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n')
    await trickle(http, Buffer.from('hi'))
    const browser = tcp()
    browser.write(HANDSHAKE)
    await once(browser, 'data')
    for (const text of ['{"t":"connect","version":1}', '{"t":"publish","topic":"slow","text":"ho"}']) {
      // A masked text frame, its mask 0. Source: RFC 6455, section 5.2.
      await trickle(
        browser,
        Buffer.concat([Buffer.of(0x81, 0x80 | text.length, 0, 0, 0, 0), Buffer.from(text)])
      )
    }
    assert.deepEqual([(await good.message()).p, (await good.message()).p], ['hi', 'ho'])
  })

  test('a client that does not say connect in time is closed', async () => {
    await listen({ connectTimeoutMs: 1 })
    const raw = await RawClient.open(web.address.port)
    sockets.push({ destroy: () => raw.close() })
    assert.equal((await raw.end()).code, DISCONNECT.CONNECT_TIMEOUT)
  })

  test('no more connections than allowed', async () => {
    await listen({ connectionsMax: 2 })
    const first = await client()
    await client()
    assert.equal(await refusal({}), 503)
    first.close()
    await eventually('there is room', () => web.counters.connections === 1)
    assert.equal(await refusal({}), 101)
  })

  test('idle sockets are limited, beyond the WebSockets', async () => {
    await listen({ connectionsMax: 1, requestsMax: 2 })
    const idle = [tcp(), tcp(), tcp()]
    await Promise.all(idle.map(socket => once(socket, 'connect')))
    const fourth = tcp()
    await withDeadline(once(fourth, 'close'), 'closed')
    for (const socket of idle) socket.destroy()
    await eventually('there is room', () => refusal({}).then(status => status === 101))
  })

  test('pages of other sites and other protocols are refused at the handshake', async () => {
    await listen({ origins: ['https://friend.example'] })
    const { port } = web.address
    assert.equal(await refusal({ origin: 'https://evil.example' }), 403)
    assert.equal(await refusal({ origin: 'https://friend.example' }), 101)
    assert.equal(await refusal({ origin: `http://127.0.0.1:${port}` }), 101)
    assert.equal(await refusal({}, ['graphql-ws']), 400)
    assert.equal(await refusal({}, ['mqtt']), 400)
    assert.equal(web.counters.connectionsRefused, 3)
  })

  test('a node with a public host needs the option that lets everybody in', async () => {
    await listen()
    await assert.rejects(listenWeb(broker, { host: '0.0.0.0', port: 0 }), { code: 'OPTION_INVALID' })
    const open = await listenWeb(broker, { host: '0.0.0.0', port: 0, allowAnonymous: true })
    await open.close()
  })

  test('a port that is taken is refused, by another program or another gateway', async () => {
    await listen()
    await assert.rejects(listenWeb(broker, { port: web.address.port }), { code: 'PORT_IN_USE' })
    const { createServer } = await import('node:net')
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const address = other.address()
    assert.ok(address !== null && typeof address === 'object')
    await assert.rejects(listenWeb(broker, { port: address.port }), { code: 'PORT_IN_USE' })
    other.close()
  })
})

async function trickle(socket: Socket, bytes: Buffer): Promise<void> {
  socket.setNoDelay(true)
  for (const byte of bytes) {
    socket.write(Buffer.of(byte))
    await new Promise(resolve => setImmediate(resolve))
  }
}

function safeJson(value: unknown): string {
  try {
    return JSON.stringify(value) ?? ''
  } catch {
    return '{}'
  }
}
