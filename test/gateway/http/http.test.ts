// The HTTP endpoints over real sockets.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { listenWeb, type WebListener } from '../../../gateway/websocket/listener.ts'
import { eventually } from '../../support/eventually.ts'
import { FakeBroker } from '../../support/fake-broker.ts'

let broker: FakeBroker
let web: WebListener

interface Answer {
  status: number
  body: Record<string, unknown>
  headers: Headers
}

async function ask(path: string, init: RequestInit = {}): Promise<Answer> {
  const response = await fetch(`http://127.0.0.1:${web.address.port}${path}`, init)
  const body = (await response.json()) as Record<string, unknown>
  return { status: response.status, body, headers: response.headers }
}

function post(body: unknown, headers: Record<string, string> = {}): Promise<Answer> {
  return ask('/publish', {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body)
  })
}

function codeOf({ body }: Answer): unknown {
  return (body['error'] as { code?: unknown } | undefined)?.code
}

/** Sends bytes as they are, and gives all that comes back until the end. */
async function raw(bytes: string): Promise<string> {
  const socket = connect(web.address.port, '127.0.0.1')
  let answer = ''
  socket.on('data', chunk => {
    answer += chunk.toString('latin1')
  })
  socket.on('error', () => {})
  socket.write(bytes)
  await once(socket, 'close')
  return answer
}

describe('HTTP', () => {
  beforeEach(async () => {
    broker = new FakeBroker()
    const options = {
      port: 0,
      frameBytesMax: 10_000,
      batchMax: 3,
      requestsMax: 2,
      requestBytesMax: 15_000,
      receiptTimeoutMs: 200,
      bodyTimeoutMs: 200,
      lingerMs: 5
    }
    web = await listenWeb(broker, options, null, { connections: 3, publishesIn: 7 })
  })

  afterEach(() => web.close())

  test('a message is published from JSON: as text, JSON or base64', async () => {
    assert.deepEqual((await post({ topic: 'a', payload: 'grün' })).body, { published: 1 })
    await post({ topic: 'a', text: 'text' })
    await post({ topic: 'a', json: { x: null } })
    await post({ topic: 'a', base64: '/wD+', retain: true })
    const payloads = broker.published.map(message => Buffer.from(message.payload()))
    assert.deepEqual(payloads, [
      Buffer.from('grün'),
      Buffer.from('text'),
      Buffer.from('{"x":null}'),
      Buffer.of(0xff, 0, 0xfe)
    ])
    assert.deepEqual(
      broker.published.map(message => message.retain),
      [false, false, false, true]
    )
  })

  test('a message is published from a raw body, with its topic in the URL', async () => {
    const init = { method: 'POST', body: Uint8Array.of(1, 0, 255) }
    const { status, body } = await ask('/publish?topic=a%2Fb%20c&qos=1&retain=true', init)
    assert.deepEqual([status, body], [200, { published: 1, reason: 16 }])
    const [message] = broker.published
    assert.equal(message?.topic.name, 'a/b c')
    assert.deepEqual([message?.qos, message?.retain], [1, true])
    assert.deepEqual(Buffer.from(message!.payload()), Buffer.of(1, 0, 255))
    await ask('/publish?topic=a', { method: 'POST' })
    assert.equal(broker.published[1]!.isEmpty, true)
  })

  test('JSON that is longer as a message than as a body has the same limit', async () => {
    const body = `{"topic":"a","json":[${Array(600).fill('1e20').join()}]}`
    assert.ok(body.length < 10_000)
    const answer = await post(body)
    assert.deepEqual([answer.status, codeOf(answer)], [413, 'PAYLOAD_TOO_LARGE'])
    assert.equal(broker.published.length, 0)
  })

  test('at QoS 1 the answer waits for the receipt', async () => {
    broker.holdReceipts = true
    const answer = post({ topic: 'a', payload: '', qos: 1 })
    await eventually('the message is published', () => broker.receipts.length === 1, { everyMs: 1 })
    broker.settle()
    assert.deepEqual((await answer).body, { published: 1, reason: 16 })
  })

  test('a receipt that does not come, or refuses, is an error that may be tried again', async () => {
    broker.holdReceipts = true
    const late = await post({ topic: 'a', payload: '', qos: 1 })
    assert.deepEqual([late.status, codeOf(late), late.headers.get('retry-after')], [504, 'TIMEOUT', '1'])
    broker.settle()
    broker.holdReceipts = false
    broker.reason = 0x97
    const refused = await post({ topic: 'a', payload: '', qos: 1 })
    assert.deepEqual([refused.status, codeOf(refused)], [429, 'LIMIT_EXCEEDED'])
  })

  test('a batch is published whole or not at all', async () => {
    const messages = [
      { topic: 'a', payload: '1', qos: 1 },
      { topic: 'b', payload: '2' }
    ]
    const good = await post({ messages })
    assert.deepEqual(good.body, { published: 2, results: [{ reason: 16 }, {}] })
    const bad = await post({ messages: [...messages, { topic: '#', payload: '3' }] })
    assert.deepEqual([bad.status, codeOf(bad)], [400, 'TOPIC_INVALID'])
    assert.match(JSON.stringify(bad.body), /index 2/)
    assert.equal(broker.published.length, 2)
    const long = await post({ messages: [...messages, ...messages] })
    assert.deepEqual([long.status, codeOf(long)], [413, 'PAYLOAD_TOO_LARGE'])
    assert.deepEqual((await post({ messages: [] })).body, { published: 0, results: [] })
  })

  test('a batch in which one fails tells the result of each', async () => {
    broker.holdReceipts = true
    const answer = post({
      messages: [
        { topic: 'a', payload: '', qos: 1 },
        { topic: 'b', payload: '', qos: 1 }
      ]
    })
    await eventually('both are published', () => broker.receipts.length === 2, { everyMs: 1 })
    broker.settle()
    const { status, body } = await answer
    assert.equal(status, 504)
    assert.equal(body['published'], 1)
    assert.deepEqual(
      (body['results'] as object[]).map(result => Object.keys(result)),
      [['reason'], ['error']]
    )
  })

  test('bad requests are told what is allowed', async () => {
    for (const [body, code] of [
      ['{', 'BAD_REQUEST'],
      ['[]', 'BAD_REQUEST'],
      ['{"topic":"a"}', 'BAD_REQUEST'],
      ['{"topic":1,"payload":""}', 'BAD_REQUEST'],
      ['{"topic":"a","payload":"","json":1}', 'BAD_REQUEST'],
      ['{"topic":"a","payload":{}}', 'BAD_REQUEST'],
      ['{"topic":"a","base64":"*"}', 'BAD_REQUEST'],
      ['{"topic":"a","payload":"","qos":2}', 'BAD_REQUEST'],
      ['{"topic":"a","payload":"","retain":"yes"}', 'BAD_REQUEST'],
      ['{"topic":"a/+","payload":""}', 'TOPIC_INVALID'],
      ['{"messages":{}}', 'BAD_REQUEST'],
      ['{"messages":[null]}', 'BAD_REQUEST']
    ] as const) {
      const answer = await post(body)
      assert.deepEqual([answer.status, codeOf(answer)], [400, code], body)
    }
    const deep = await post(`{"topic":"a","json":${'['.repeat(4_900)}${']'.repeat(4_900)}}`)
    assert.ok(deep.status === 400 || deep.status === 200)
    assert.equal((await post('{"topic":"a","payload":""}', { 'content-type': 'text/plain' })).status, 400)
    assert.equal((await ask('/publish?topic=a&qos=5', { method: 'POST', body: '' })).status, 400)
    assert.equal((await ask('/publish?topic=a&retain=1', { method: 'POST', body: '' })).status, 400)
    assert.equal((await ask('/publish?topic=', { method: 'POST', body: '' })).status, 400)
  })

  test('a body that is too large is refused before it is kept', async () => {
    const told = await post({ topic: 'a', payload: 'x'.repeat(10_000) })
    assert.deepEqual([told.status, codeOf(told)], [413, 'PAYLOAD_TOO_LARGE'])
    const chunk = `1000\r\n${'x'.repeat(4_096)}\r\n`
    const head = 'POST /publish?topic=a HTTP/1.1\r\nhost: 127.0.0.1\r\ntransfer-encoding: chunked\r\n\r\n'
    const untold = await raw(
      `${head}${chunk.repeat(3)}0\r\n\r\nGET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`
    )
    assert.match(untold, /^HTTP\/1\.1 413 /)
    assert.equal(broker.published.length, 0)
  })

  test('a body that does not come is given up', async () => {
    const answer = await raw(
      'POST /publish?topic=a HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 5\r\n\r\nab'
    )
    assert.match(answer, /^HTTP\/1\.1 408 /)
    assert.equal((await post({ topic: 'a', payload: '' })).status, 200)
  })

  test('a client that goes before its answer leaves nothing behind', async () => {
    broker.holdReceipts = true
    for (let i = 0; i < 5; i++) {
      const socket = connect(web.address.port, '127.0.0.1')
      socket.write('POST /publish?topic=a&qos=1 HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 2\r\n\r\nab')
      await eventually('it is published', () => broker.receipts.length === 1, { everyMs: 1 })
      socket.destroy()
      broker.settle()
      await eventually(
        'the request is over',
        async () => (await post({ topic: 'b', payload: '' })).status === 200
      )
    }
  })

  test('more requests at once than allowed are refused', async () => {
    broker.holdReceipts = true
    const held = [post({ topic: 'a', payload: '', qos: 1 }), post({ topic: 'a', payload: '', qos: 1 })]
    await eventually('two wait', () => broker.receipts.length === 2, { everyMs: 1 })
    const third = await post({ topic: 'a', payload: '' })
    assert.deepEqual([third.status, codeOf(third)], [429, 'TOO_MANY_REQUESTS'])
    broker.settle()
    broker.settle()
    for (const answer of held) assert.equal((await answer).status, 200)
    assert.equal((await post({ topic: 'a', payload: '' })).status, 200)
  })

  test('a congested cluster, and a node that does not serve, say to come later', async () => {
    broker.congested = true
    assert.equal((await post({ topic: 'a', payload: '' })).status, 200)
    assert.equal((await post({ topic: 'a', payload: '' })).status, 503)
    broker.drain()
    assert.equal((await post({ topic: 'a', payload: '' })).status, 200)
    broker.ready = false
    const answer = await post({ topic: 'a', payload: '' })
    assert.deepEqual([answer.status, codeOf(answer)], [503, 'UNAVAILABLE'])
  })

  test('a page of another site may not publish', async () => {
    const { port } = web.address
    const foreign = await post({ topic: 'a', payload: '' }, { origin: 'https://evil.example' })
    assert.deepEqual([foreign.status, codeOf(foreign)], [403, 'NOT_AUTHORISED'])
    const own = await post({ topic: 'a', payload: '' }, { origin: `http://127.0.0.1:${port}` })
    assert.equal(own.status, 200)
  })

  test('health, readiness, status and owner are told', async () => {
    assert.deepEqual(await ask('/health').then(({ status, body }) => [status, body]), [
      200,
      { status: 'alive' }
    ])
    assert.deepEqual(await ask('/ready').then(({ status, body }) => [status, body]), [
      200,
      { status: 'ready' }
    ])
    assert.equal((await ask('/status')).body['id'], broker.id)
    assert.deepEqual((await ask('/owner?topic=a%2Fb')).body, { topic: 'a/b', owner: broker.id })
    assert.equal((await ask('/owner')).status, 400)
    broker.ready = false
    assert.deepEqual(await ask('/ready').then(({ status, body }) => [status, body]), [
      503,
      { status: 'joining' }
    ])
    assert.equal((await ask('/owner?topic=a')).status, 503)
    assert.equal((await ask('/health')).status, 200)
    broker.ready = true
    broker.closing = true
    assert.equal((await ask('/ready')).body['status'], 'closing')
  })

  test('metrics are in the format of Prometheus', async () => {
    await post({ topic: 'a', payload: '' })
    const response = await fetch(`http://127.0.0.1:${web.address.port}/metrics`)
    assert.match(response.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/)
    const text = await response.text()
    for (const line of text.trimEnd().split('\n')) {
      assert.match(line, /^(# (HELP|TYPE) [a-z_]+ .+|[a-z_]+(\{[a-z_]+="[^"]*"\})? [0-9.e+-]+)$/)
    }
    assert.match(text, /^shoal_ready 1$/m)
    assert.match(text, /^shoal_published_total 1$/m)
    assert.match(text, /^shoal_web_messages_in_total 1$/m)
    assert.match(text, /^shoal_mqtt_connections 3$/m)
    assert.match(text, /^shoal_mqtt_publishes_in_total 7$/m)
    const types = text.match(/^# TYPE \S+/gm) ?? []
    assert.equal(new Set(types).size, types.length, 'each family once')
  })

  test('the page and the client are served with their types, and not sent again unchanged', async () => {
    const url = `http://127.0.0.1:${web.address.port}`
    for (const [path, type] of [
      ['/', 'text/html; charset=utf-8'],
      ['/index.html', 'text/html; charset=utf-8'],
      ['/page.js', 'text/javascript; charset=utf-8'],
      ['/page.css', 'text/css; charset=utf-8'],
      ['/icon.svg', 'image/svg+xml'],
      ['/client/index.js', 'text/javascript; charset=utf-8']
    ] as const) {
      const first = await fetch(url + path)
      assert.equal(first.status, 200, path)
      assert.equal(first.headers.get('content-type'), type)
      assert.ok((await first.text()).length > 0)
      const again = await fetch(url + path, { headers: { 'if-none-match': first.headers.get('etag') ?? '' } })
      assert.equal(again.status, 304)
    }
  })

  test('HEAD answers as GET does, without the body', async () => {
    for (const path of ['/', '/health', '/status']) {
      const url = `http://127.0.0.1:${web.address.port}${path}`
      const [head, get] = [await fetch(url, { method: 'HEAD' }), await fetch(url)]
      assert.equal(head.status, 200)
      assert.equal(head.headers.get('content-length'), get.headers.get('content-length'), path)
      assert.equal(head.headers.get('content-type'), get.headers.get('content-type'), path)
      assert.equal(await head.text(), '')
    }
  })

  test('no path leads out of what is served', async () => {
    for (const path of [
      '/../package.json',
      '/client/../../package.json',
      '/client/..%2f..%2fpackage.json',
      '/client/%2e%2e/package.json',
      '/client//etc/passwd',
      '//etc/passwd',
      '/client/',
      '/client/index.d.ts',
      '/client/index.js%00',
      '/page.js/..',
      '/\\..\\page.js'
    ]) {
      const answer = await raw(`GET ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n`)
      assert.match(answer, /^HTTP\/1\.1 (404|400) /, path)
    }
  })

  test('a wrong method is told the right one', async () => {
    const put = await ask('/publish', { method: 'PUT', body: '{}' })
    assert.deepEqual([put.status, put.headers.get('allow')], [405, 'POST'])
    const posted = await ask('/status', { method: 'POST', body: '' })
    assert.deepEqual([posted.status, posted.headers.get('allow')], [405, 'GET, HEAD'])
    assert.equal((await ask('/nowhere', { method: 'POST', body: 'x' })).status, 404)
  })
})
