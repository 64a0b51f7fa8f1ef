// pubsub between the nodes of a simulated ring.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pubsub, pubsubOf, type TopicMessage } from '../../../broker/plugins/pubsub/index.ts'
import { Nodes } from '../../broker/nodes.ts'
import type { RingNode, Rings } from '../../upring/rings.ts'
import { ringOfPlugin } from '../rings.ts'

async function ringOf(seed: number, count: number): Promise<Rings> {
  return await ringOfPlugin(seed, count, ({ upring }) => upring.use(pubsub))
}

/** What a node hears, once every node knows that it listens. */
async function listen(rings: Rings, { upring }: RingNode, filter: string): Promise<unknown[]> {
  const heard: unknown[] = []
  const known = new Promise<void>(resolve => {
    pubsubOf(upring).on(
      filter,
      (message, done) => {
        heard.push(message['payload'])
        done()
      },
      resolve
    )
  })
  await rings.settle(known)
  return heard
}

async function emit(rings: Rings, { upring }: RingNode, message: TopicMessage): Promise<Error | undefined> {
  return await rings.settle(new Promise(resolve => pubsubOf(upring).emit(message, resolve)))
}

test('a message comes to every node that listens, and to no other', async () => {
  const rings = await ringOf(1, 4)
  const exact = await listen(rings, rings.at(0), 'hello/world')
  const one = await listen(rings, rings.at(1), 'hello/+')
  const some = await listen(rings, rings.at(2), '#')
  const other = await listen(rings, rings.at(3), 'other')
  for (const node of rings.all)
    assert.equal(await emit(rings, node, { topic: 'hello/world', payload: node.name }), undefined)
  const names = rings.all.map(({ name }) => name)
  for (const heard of [exact, one, some]) assert.deepEqual(heard, names)
  assert.deepEqual(other, [])
})

test('messages of one node come in order, each once, while links break', async () => {
  const rings = await ringOf(2, 3)
  const heard = await listen(rings, rings.at(1), 'numbers')
  const [a, b] = [rings.at(0).name, rings.at(1).name]
  const expected: number[] = []
  for (let i = 0; i < 3000; i++) {
    expected.push(i)
    pubsubOf(rings.at(0).upring).emit({ topic: 'numbers', payload: i })
    if (i % 1000 === 500) {
      rings.simulation.partition([a], [b])
      rings.simulation.after(1000, () => rings.simulation.heal())
    }
    if (i % 100 === 0) await rings.simulation.run(5)
  }
  await rings.simulation.until(() => heard.length === expected.length, 30_000)
  assert.deepEqual(heard, expected)
})

test('a node that joins hears from its first listener on, and is heard when it is up', async () => {
  const rings = await ringOf(3, 2)
  const old = await listen(rings, rings.at(0), 'news/#')
  const joined = rings.add()
  await rings.up(joined)
  await emit(rings, joined, { topic: 'news/a', payload: 1 })
  assert.deepEqual(old, [1])
  const heard = await listen(rings, joined, 'news/a')
  await emit(rings, rings.at(1), { topic: 'news/a', payload: 2 })
  assert.deepEqual([old, heard], [[1, 2], [2]])
})

test('when the ring changes, what goes between the others is not lost', async () => {
  const rings = await ringOf(4, 4)
  const heard = await listen(rings, rings.at(1), 'steady')
  const emitting = pubsubOf(rings.at(0).upring)
  for (let i = 0; i < 400; i++) {
    emitting.emit({ topic: 'steady', payload: i })
    if (i === 100) rings.crash(rings.at(3))
    if (i === 200) rings.add()
    if (i === 300) void rings.at(2).upring.close()
    await rings.simulation.run(20)
  }
  await rings.simulation.until(() => heard.length === 400, 30_000)
  assert.deepEqual(
    heard,
    Array.from({ length: 400 }, (_, i) => i)
  )
})

test('a node that stood still and was taken for dead emits and hears again', async () => {
  const rings = await ringOf(10, 3)
  const [a, b] = [rings.at(0), rings.at(1)]
  const heard = [await listen(rings, a, 'x'), await listen(rings, b, 'x')]
  b.host.pause()
  await rings.simulation.until(() => a.upring.peers().length === 1, 30_000)
  b.host.resume()
  await rings.simulation.until(() => a.upring.peers().length === 2 && b.upring.peers().length === 2, 60_000)
  await rings.agreed()
  await rings.simulation.run(2000)
  await emit(rings, a, { topic: 'x', payload: 1 })
  await emit(rings, b, { topic: 'x', payload: 2 })
  assert.deepEqual(heard, [
    [1, 2],
    [1, 2]
  ])
})

test('a listener that is gone is not told, and a dead node is not waited for', async () => {
  const rings = await ringOf(5, 3)
  const heard: unknown[] = []
  const listener = (message: TopicMessage, done: () => void): void => {
    heard.push(message['payload'])
    done()
  }
  const other = pubsubOf(rings.at(1).upring)
  await rings.settle(new Promise<void>(resolve => other.on('a', listener, resolve)))
  await emit(rings, rings.at(0), { topic: 'a', payload: 1 })
  await rings.settle(new Promise<void>(resolve => other.removeListener('a', listener, resolve)))
  await emit(rings, rings.at(0), { topic: 'a', payload: 2 })
  assert.deepEqual(heard, [1])
  await listen(rings, rings.at(2), 'b')
  rings.crash(rings.at(2))
  assert.equal(await emit(rings, rings.at(0), { topic: 'b', payload: 1 }), undefined)
})

test('clients emit and listen, also to each other', async () => {
  const rings = await ringOf(6, 2)
  const [one, two] = [await rings.join({ client: true }), await rings.join({ client: true })]
  const heard = [
    await listen(rings, one, 'c'),
    await listen(rings, two, 'c'),
    await listen(rings, rings.at(0), 'c')
  ]
  await emit(rings, one, { topic: 'c', payload: 1 })
  await emit(rings, rings.at(1), { topic: 'c', payload: 2 })
  await rings.simulation.until(() => heard.every(({ length }) => length === 2), 5000)
  for (const each of heard) assert.deepEqual(each, [1, 2])
})

test('a client that dies is forgotten, and a listener that throws harms nobody', async () => {
  const rings = await ringOf(11, 2)
  const client = await rings.join({ client: true })
  await listen(rings, client, 'c')
  pubsubOf(rings.at(1).upring).on('c', () => {
    throw new Error('on purpose')
  })
  const heard = await listen(rings, rings.at(1), 'c')
  rings.crash(client)
  for (const payload of [1, 2])
    assert.equal(await emit(rings, rings.at(0), { topic: 'c', payload }), undefined)
  assert.deepEqual(heard, [1, 2])
})

test('bytes are bytes, and what is too large or cannot be sent is refused', async () => {
  const rings = await ringOfPlugin(7, 2, ({ upring }) => upring.use(pubsub, { messageBytesMax: 1000 }))
  const heard = await listen(rings, rings.at(1), 'x')
  assert.equal(await emit(rings, rings.at(0), { topic: 'x', payload: Buffer.from('bytes') }), undefined)
  assert(Buffer.isBuffer(heard[0]))
  assert.equal(String(heard[0]), 'bytes')
  const large = await emit(rings, rings.at(0), { topic: 'x', payload: 'x'.repeat(2000) })
  assert.equal((large as { code?: string }).code, 'PAYLOAD_TOO_LARGE')
})

test('with a concurrency, messages wait for their turn, so many at most', async () => {
  const rings = await ringOfPlugin(8, 1, ({ upring }) => upring.use(pubsub, { concurrency: 1, queueMax: 2 }))
  const emitter = pubsubOf(rings.at(0).upring)
  const open: (() => void)[] = []
  emitter.on('x', (_message, done) => open.push(done))
  const ends: unknown[] = []
  for (let i = 0; i < 4; i++)
    emitter.emit({ topic: 'x' }, error => ends.push((error as { code?: string } | undefined)?.code))
  assert.deepEqual([emitter.current, emitter.length, ends], [1, 2, ['LIMIT_EXCEEDED']])
  for (let i = 0; i < 3; i++) open.shift()!()
  assert.deepEqual([emitter.current, emitter.length, emitter.dropped, ends.length], [0, 0, 1, 4])
})

test('it runs beside MQTT on a broker', async () => {
  const nodes = new Nodes(9)
  for (let i = 0; i < 2; i++) {
    const node = nodes.add()
    node.broker.upring.use(pubsub)
    await nodes.settle(node.broker.start(), 60_000)
  }
  const [a, b] = [nodes.at(0).broker.upring, nodes.at(1).broker.upring]
  let text = ''
  const known = new Promise<void>(resolve => {
    pubsubOf(b).on(
      'a/+',
      (message, done) => {
        text = String(message['payload'])
        done()
      },
      resolve
    )
  })
  await nodes.settle(known, 5000)
  await nodes.settle(
    new Promise(resolve => pubsubOf(a).emit({ topic: 'a/b', payload: 'hello' }, resolve)),
    5000
  )
  assert.equal(text, 'hello')
})
