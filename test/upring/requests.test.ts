// Requests and fires: where they go, how they are answered, and that they are always settled.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ShoalError } from '../../broker/errors.ts'
import { RequestError } from '../../broker/upring.ts'
import { Rings } from './rings.ts'

test('a request is answered by the owner of its key, whoever asks', async () => {
  const rings = await Rings.started(1, 3)
  for (const { upring } of rings.all) {
    upring.add('cmd:who', (request, reply) => reply(null, { id: upring.whoami(), key: request.key }))
  }
  for (const asker of rings.all) {
    for (const owner of rings.all) {
      const key = rings.keyOf(owner)
      const reply = await rings.settle(asker.upring.request({ cmd: 'who', key }))
      assert.deepEqual(reply, { id: owner.upring.whoami(), key })
    }
  }
})

test('keys may be text, bytes or hashes, and mean the same place', async () => {
  const rings = await Rings.started(2, 3)
  const { upring } = rings.at(0)
  for (const each of rings.all) each.upring.add('cmd:who', async () => ({ id: each.upring.whoami() }))
  const replies = await rings.settle(
    Promise.all(
      ['a key', Buffer.from('a key'), upring.hash('a key')].map(key => upring.request({ cmd: 'who', key }))
    )
  )
  assert.equal(new Set(replies.map(reply => reply['id'])).size, 1)
})

test('a local request is not copied, and is as asynchronous as any other', async () => {
  const rings = await Rings.started(3, 1)
  const { upring } = rings.at(0)
  const order: string[] = []
  const request = { cmd: 'echo', key: 'a', list: [1] }
  upring.add('echo', (message, reply) => {
    order.push('handled')
    assert.equal(message, request)
    reply(null, request)
  })
  const answered = new Promise<void>((resolve, reject) => {
    upring.request(request, (error, reply) => {
      order.push('answered')
      if (error !== null) return reject(error)
      assert.equal(reply, request)
      resolve()
    })
  })
  order.push('sent')
  await rings.settle(answered)
  assert.deepEqual(order, ['sent', 'handled', 'answered'])
})

test('requests before up wait until the node has joined', async () => {
  const rings = await Rings.started(4, 2)
  for (const { upring } of rings.all) upring.add('cmd:who', async () => ({ id: upring.whoami() }))
  const { upring } = rings.add()
  upring.add('cmd:who', async () => ({ id: upring.whoami() }))
  assert.equal(upring.allocatedToMe('a'), false)
  assert.throws(() => upring.whoami(), { code: 'CLOSED' })
  const fired = new Promise<void>((resolve, reject) =>
    upring.fire({ cmd: 'who', key: 'b' }, error => (error ? reject(error) : resolve()))
  )
  const reply = await rings.settle(upring.request({ cmd: 'who', key: 'a' }))
  assert.equal(typeof reply['id'], 'string')
  await rings.settle(fired)
})

test('a node alone answers what it asked before it was up', async () => {
  const rings = new Rings(5)
  const { upring } = rings.add()
  upring.add('cmd:who', async () => ({ id: upring.whoami() }))
  assert.deepEqual(await rings.settle(upring.requestp({ cmd: 'who', key: 'a' })), { id: '10.0.0.1:7979' })
})

test('what a handler fails with comes back: message, code and reply', async () => {
  const rings = await Rings.started(6, 2)
  const failures: Record<string, () => unknown> = {
    plain: () => new Error('kaboom!'),
    coded: () => Object.assign(new Error('no such file'), { code: 'ENOENT' }),
    typed: () => new ShoalError('NOT_AUTHORISED', { who: 'you' })
  }
  for (const { upring } of rings.all) {
    upring.add({ cmd: 'fail', how: 'throws' }, () => {
      throw new Error('thrown')
    })
    upring.add('cmd:fail', (request, reply) =>
      reply(failures[String(request['how'])]!() as Error, { beside: 1 })
    )
  }
  for (const owner of rings.all) {
    const ask = (how: string) =>
      rings.rejection(rings.at(0).upring.request({ cmd: 'fail', how, key: rings.keyOf(owner) }))
    assert.equal((await ask('plain')).message, 'kaboom!')
    assert.equal((await ask('coded')).code, 'ENOENT')
    assert.deepEqual(((await ask('plain')) as RequestError).reply, { beside: 1 })
    const typed = await ask('typed')
    assert(typed instanceof ShoalError)
    assert.equal(typed.code, 'NOT_AUTHORISED')
    assert.deepEqual(typed.fields, { who: 'you' })
    assert.equal((await ask('throws')).message, 'thrown')
  }
})

test('patterns match in the order in which they were added, and what matches nothing is refused', async () => {
  const rings = await Rings.started(7, 2)
  for (const { upring } of rings.all) {
    upring.add('ns:kv,cmd:put', async () => ({ by: 'first' }))
    upring.add({ ns: 'kv', cmd: 'put' }, async () => ({ by: 'second' }))
    upring.add('get', async () => ({ by: 'get' }))
    upring.add({ cmd: /^de/ }, async () => ({ by: 'regexp' }))
    upring.add('ns:count,size:3,big:false', async () => ({ by: 'numbers' }))
  }
  for (const owner of rings.all) {
    const key = rings.keyOf(owner)
    const by = async (request: object) =>
      (await rings.settle(rings.at(0).upring.request({ ...request, key })))['by']
    assert.equal(await by({ ns: 'kv', cmd: 'put' }), 'first')
    assert.equal(await by({ cmd: 'get', ns: 'other' }), 'get')
    assert.equal(await by({ cmd: 'delete' }), 'regexp')
    assert.equal(await by({ ns: 'count', size: 3, big: false }), 'numbers')
    for (const strange of [{ cmd: 'other' }, { constructor: 'name' }, {}]) {
      const error = await rings.rejection(rings.at(0).upring.request({ ...strange, key }))
      assert.equal(error.code, 'PATTERN_MISSING')
      assert.equal(error.message, 'message does not match any pattern')
    }
  }
})

test('before the first pattern requests are events', async () => {
  const rings = await Rings.started(8, 2)
  const [a, b] = [rings.at(0), rings.at(1)]
  const error = await rings.rejection(a.upring.request({ key: rings.keyOf(b) }))
  assert.equal(error.code, 'HANDLER_MISSING')
  for (const { upring } of rings.all) upring.on('request', (request, reply) => reply(null, { got: request }))
  for (const owner of rings.all) {
    const request = { key: rings.keyOf(owner), hello: 42 }
    assert.deepEqual(await rings.settle(a.upring.request(request)), { got: request })
  }
  a.upring.add('cmd:something', async () => ({}))
  assert.equal((await rings.rejection(b.upring.request({ key: rings.keyOf(a) }))).code, 'PATTERN_MISSING')
})

test('prerequest is told of each request that is handled', async () => {
  const rings = await Rings.started(9, 1)
  const { upring } = rings.at(0)
  const seen: unknown[] = []
  upring.on('prerequest', request => seen.push(request.key))
  upring.add('cmd:any', async () => ({}))
  await rings.settle(Promise.all(['a', 'b'].map(key => upring.request({ cmd: 'any', key }))))
  assert.deepEqual(seen, ['a', 'b'])
})

test('a request that does not keep to the schema is refused with 400 and the reasons', async () => {
  const rings = await Rings.started(10, 2)
  const schema = { type: 'object', properties: { value: { type: 'number' } }, required: ['value'] }
  for (const { upring } of rings.all)
    upring.add('parse', schema, async request => ({ value: request['value'] }))
  const { upring } = rings.at(0)
  for (const owner of rings.all) {
    const key = rings.keyOf(owner)
    assert.deepEqual(await rings.settle(upring.request({ cmd: 'parse', key, value: 42 })), { value: 42 })
    const answered = new Promise<[Error | null, unknown]>(resolve =>
      upring.request({ cmd: 'parse', key, value: 'x' }, (error, reply) => resolve([error, reply]))
    )
    const [error, reply] = await rings.settle(answered)
    assert(error instanceof RequestError)
    assert.deepEqual([error.message, error.code], ['400', 400])
    assert(Array.isArray(reply))
    assert.equal((reply[0] as { instancePath: string }).instancePath, '/value')
    assert.deepEqual(error.reply, reply)
  }
  assert.throws(() => upring.add('x', { type: 'no such type' }, async () => ({})), { code: 'OPTION_INVALID' })
})

test('a fire reaches the owner of its key, and is answered by nobody', async () => {
  const rings = await Rings.started(11, 2)
  const got: unknown[] = []
  for (const { upring } of rings.all) {
    upring.add('cmd:note', (request, reply) => {
      got.push([upring.whoami(), request['value']])
      reply(new Error('nobody hears this'))
    })
  }
  for (const [value, owner] of rings.all.entries()) {
    const sent = new Promise<unknown>(resolve =>
      rings.at(0).upring.fire({ cmd: 'note', value, key: rings.keyOf(owner) }, resolve)
    )
    assert.equal(await rings.settle(sent), null)
  }
  await rings.simulation.run(100)
  assert.deepEqual(got, [
    ['10.0.0.1:7979', 0],
    ['10.0.0.2:7979', 1]
  ])
})

test('without a key, or with what cannot be sent, a request fails in its callback', async () => {
  const rings = await Rings.started(12, 2)
  const { upring } = rings.at(0)
  upring.add('cmd:any', async () => ({}))
  // @ts-expect-error a key is wanted
  assert.equal((await rings.rejection(upring.request({ cmd: 'any' }))).code, 'BAD_REQUEST')
  const unsendable: Record<string, unknown> & { key: string } = { cmd: 'any', key: rings.keyOf(rings.at(1)) }
  unsendable['itself'] = unsendable
  assert.equal((await rings.rejection(upring.request(unsendable))).code, 'BAD_REQUEST')
})

test('a certain peer is asked whatever the key, and so is this node itself', async () => {
  const rings = await Rings.started(13, 2)
  const [a, b] = [rings.at(0), rings.at(1)]
  for (const { upring } of rings.all) {
    upring.add('cmd:who', async request => ({ id: upring.whoami(), request }))
  }
  for (const node of rings.all) {
    const request = { cmd: 'who', key: rings.keyOf(a) }
    const reply = await rings.settle(a.upring.peerConn({ id: node.upring.whoami() }).request(request))
    assert.deepEqual(reply, { id: node.upring.whoami(), request })
  }
  assert.equal(a.upring.peerConn(b.upring.mymeta()).destroyed, false)
  const stranger = a.upring.peerConn({ id: '10.0.0.9:7979' })
  assert.equal(stranger.destroyed, true)
  assert.equal((await rings.rejection(stranger.request({ cmd: 'who' }))).code, 'PEER_UNKNOWN')
})

test('a request times out that nobody answers, here and elsewhere', async () => {
  const rings = await Rings.started(14, 2)
  for (const { upring } of rings.all) upring.add('cmd:silence', () => {})
  for (const owner of rings.all) {
    const before = rings.simulation.now
    const request = { cmd: 'silence', key: rings.keyOf(owner) }
    const error = await rings.rejection(rings.at(0).upring.request(request, { timeoutMs: 700 }))
    assert.equal(error.code, 'TIMEOUT')
    assert(rings.simulation.now - before < 720)
  }
})

test('one more request than may be under way is refused', async () => {
  const rings = await Rings.started(15, 1, { requestsMax: 2 })
  const { upring } = rings.at(0)
  upring.add('cmd:silence', () => {})
  const request = { cmd: 'silence', key: 'a' }
  const codes = [1, 2, 3].map(() => upring.request(request, { timeoutMs: 100 }).catch(error => error.code))
  assert.deepEqual(await rings.settle(Promise.all(codes)), ['TIMEOUT', 'TIMEOUT', 'LIMIT_EXCEEDED'])
})

test('a client asks, owns nothing and is no peer', async () => {
  const rings = await Rings.started(16, 2)
  for (const { upring } of rings.all) upring.add('cmd:who', async () => ({ id: upring.whoami() }))
  const client = await rings.join({ client: true })
  for (let i = 0; i < 1000; i++) assert.equal(client.upring.allocatedToMe(`key${i}`), false)
  assert.equal(client.upring.peers().length, 2)
  assert.equal(rings.at(0).upring.peers().length, 1)
  assert.deepEqual(client.upring.mymeta().points, [])
  const reply = await rings.settle(client.upring.request({ cmd: 'who', key: 'a' }))
  assert.notEqual(reply['id'], client.upring.whoami())
})

test('an error that no one expects at the owner fails the request, and not the link', async () => {
  const rings = await Rings.started(17, 1)
  const { upring } = rings.at(0)
  let refused = ''
  const hashFunc = (key: string | Uint8Array): number => {
    if (key === refused) throw new TypeError('a hash of the user that does not take this key')
    return upring.hash(key)
  }
  const owner = await rings.join({ hashring: { hashFunc } })
  owner.upring.add('cmd:who', async () => ({ id: owner.upring.whoami() }))
  refused = rings.keyOf(owner)
  const { destroyed } = upring.peerConn(owner.upring.mymeta())
  assert.equal(destroyed, false)
  const error = await rings.rejection(upring.request({ cmd: 'who', key: refused }))
  assert.equal(error.code, 'HANDLER_FAILED')
  assert.equal(upring.peerConn(owner.upring.mymeta()).destroyed, false)
})
