// The life of an instance: plugins, start, and close.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Upring, upring } from '../../broker/upring.ts'
import { Rings } from './rings.ts'

test('plugins load in order, nested ones first, between joining and up', async () => {
  const rings = await Rings.started(1, 1)
  const { upring } = rings.add()
  const order: string[] = []
  upring.use(async instance => {
    order.push(`first on ${instance.whoami()}`)
    instance.use(
      (_nested, { name }, done) => {
        order.push(name)
        process.nextTick(done)
      },
      { name: 'nested' }
    )
  })
  upring.after(() => order.push('after first'))
  upring.use((_instance, _options, done) => {
    order.push('second')
    done()
  })
  upring.ready(() => order.push('ready'))
  upring.on('up', () => order.push('up'))
  assert.equal(upring.isReady, false)
  await rings.simulation.until(() => upring.isReady, 10_000)
  assert.deepEqual(order, ['first on 10.0.0.2:7979', 'nested', 'after first', 'second', 'ready', 'up'])
})

test('a plugin may ask the ring, and extends the instance', async () => {
  const rings = await Rings.started(2, 1)
  rings.at(0).upring.add('cmd:config', async () => ({ colour: 'blue' }))
  const { upring } = rings.add()
  const extended = upring as Upring & { colour: unknown }
  upring.use<{ cmd: string }>(
    async (instance, { cmd }) => {
      const reply = await instance.request({ cmd, key: 'any' })
      Object.assign(instance, { colour: reply['colour'] })
    },
    { cmd: 'config' }
  )
  await rings.simulation.until(() => upring.isReady, 10_000)
  assert.equal(extended.colour, 'blue')
})

test('requests to a node whose plugins are loading wait for their patterns', async () => {
  const rings = await Rings.started(3, 1)
  const node = rings.add()
  let load: (() => void) | null = null
  node.upring.use((instance, _options, done) => {
    load = () => {
      instance.add('cmd:late', async () => ({ id: instance.whoami() }))
      done()
    }
  })
  const { upring } = rings.at(0)
  await rings.simulation.until(
    () => load !== null && !upring.peerConn({ id: '10.0.0.2:7979' }).destroyed,
    5000
  )
  const answer = upring.peerConn({ id: '10.0.0.2:7979' }).request({ cmd: 'late' })
  await rings.simulation.run(100)
  load!()
  assert.deepEqual(await rings.settle(answer), { id: '10.0.0.2:7979' })
})

test('a plugin that fails is told to ready, and the node never serves', async () => {
  const rings = new Rings(4)
  const { upring } = rings.add()
  upring.use(async () => {
    throw new Error('no disk')
  })
  const error = await rings.rejection(upring.ready())
  assert.equal(error.message, 'no disk')
  await rings.simulation.run(1000)
  assert.equal(upring.isReady, false)
  await rings.settle(upring.close())
})

test('a port that is taken is told as an error event and to ready', async () => {
  const rings = await Rings.started(5, 1)
  await rings.join({ host: '10.0.0.2' })
  const second = upring(
    { host: '10.0.0.2', port: 7979, cluster: { insecure: true } },
    rings.at(1).host.runtime
  )
  const errors: unknown[] = []
  second.on('error', error => errors.push((error as { code?: unknown }).code))
  assert.equal((await rings.rejection(second.ready())).code, 'PORT_IN_USE')
  assert.deepEqual(errors, ['PORT_IN_USE'])
  await rings.settle(second.close())
})

test('close runs the hooks of plugins when the node owns nothing any more, then says so', async () => {
  const rings = await Rings.started(6, 1)
  const node = await rings.join()
  const other = rings.at(0).upring
  const order: string[] = []
  const { upring } = node
  const key = rings.keyOf(node)
  other.add('cmd:take', async () => ({}))
  upring.track(key).on('move', () => order.push('moved'))
  upring.onClose(async instance => {
    assert.equal(instance.allocatedToMe(key), false)
    await instance.request({ cmd: 'take', key })
    order.push('handed over')
  })
  upring.onClose((_instance, done) => {
    order.push('last hook')
    done()
  })
  upring.on('close', () => order.push('close'))
  let calls = 0
  const closed = [upring.close(), upring.close(() => calls++), upring.close()]
  assert.equal(upring.isReady, false)
  await rings.settle(Promise.all(closed))
  assert.deepEqual(order, ['moved', 'last hook', 'handed over', 'close'])
  assert.equal(calls, 1)
  assert.equal((await rings.rejection(upring.request({ key }))).code, 'CLOSED')
  await rings.simulation.until(() => other.peers().length === 0, 1000)
  await rings.simulation.run(5000)
  assert.equal(node.host.openSockets, 0)
  assert.equal(node.host.openTimers, 0)
})

test('requests that are being handled are answered before the node closes', async () => {
  const rings = await Rings.started(7, 2)
  const [a, b] = [rings.at(0), rings.at(1)]
  b.upring.add('cmd:slow', (_request, reply) => {
    rings.simulation.after(500, () => reply(null, { done: true }))
  })
  const reply = a.upring.request({ cmd: 'slow', key: rings.keyOf(b) })
  await rings.simulation.run(100)
  const closed = b.upring.close()
  assert.deepEqual(await rings.settle(reply), { done: true })
  await rings.settle(closed)
})

test('a client that closes still reaches the ring from its hooks', async () => {
  const rings = await Rings.started(10, 2)
  for (const { upring } of rings.all) upring.add('cmd:bye', async () => ({}))
  const client = await rings.join({ client: true })
  let said = false
  client.upring.onClose(async instance => {
    await instance.request({ cmd: 'bye', key: 'any' })
    said = true
  })
  await rings.leave(client)
  assert(said)
})

test('close waits for no answer to a fire', async () => {
  const rings = await Rings.started(11, 1)
  const { upring } = rings.at(0)
  let handled = 0
  upring.add('cmd:note', () => {
    handled++
  })
  upring.fire({ cmd: 'note', key: 'a' })
  await rings.now()
  assert.equal(handled, 1)
  const before = rings.simulation.now
  await rings.leave(rings.at(0))
  assert(rings.simulation.now - before < 1000)
})

test('a node that waits for its base can be closed, and leaves nothing behind', async () => {
  const rings = new Rings(8)
  const node = rings.add({ base: ['10.0.0.9:7979'] })
  const waiting = rings.rejection(node.upring.request({ key: 'a' }, { timeoutMs: 60_000 }), 60_000)
  const [error] = await Promise.all([
    waiting,
    rings.simulation.clock.after(3000, () => void node.upring.close()),
    Promise.resolve()
  ])
  assert.equal(error.code, 'CLOSED')
  await rings.simulation.run(10_000)
  assert.equal(node.host.openSockets, 0)
  assert.equal(node.host.openTimers, 0)
})

test('a node waits for a base that comes later', async () => {
  const rings = new Rings(9)
  const node = rings.add({ base: ['10.0.0.2:7979'] })
  await rings.simulation.run(3000)
  assert.equal(node.upring.isReady, false)
  const base = rings.add({ base: [] })
  await rings.simulation.until(() => node.upring.isReady && base.upring.isReady, 30_000)
  await rings.agreed()
})

test('options that are none are refused at once', () => {
  const { runtime } = new Rings(12).simulation.host('10.0.0.1')
  const bad = [{ base: 'nowhere' }, { port: 70_000 }, { hashring: { replicaPoints: 0 } }]
  for (const options of bad) assert.throws(() => upring(options, runtime), { code: 'OPTION_INVALID' })
})
