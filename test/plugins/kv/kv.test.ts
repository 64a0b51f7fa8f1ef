// The key-value store on a simulated ring: what it answers, and what survives which change of the ring.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Gap, kv, kvOf } from '../../../broker/plugins/kv/index.ts'
import type { UpringOptions } from '../../../broker/upring.ts'
import { Nodes } from '../../broker/nodes.ts'
import type { RingNode, Rings } from '../../upring/rings.ts'
import { allSettled, ringOfPlugin } from '../rings.ts'

async function ringOf(seed: number, count: number, options: UpringOptions = {}): Promise<Rings> {
  return await ringOfPlugin(seed, count, ({ upring }) => upring.use(kv), options)
}

function follow(node: RingNode, key: string): { values: unknown[]; gaps: Gap[] } {
  const [values, gaps]: [unknown[], Gap[]] = [[], []]
  const stream = kvOf(node.upring).liveUpdates(key)
  stream.on('data', value => values.push(value))
  stream.on('gap', (gap: Gap) => gaps.push(gap))
  return { values, gaps }
}

/** Once every key is where it belongs. */
async function quiet(rings: Rings): Promise<void> {
  await allSettled(rings, ({ upring }) => kvOf(upring).status)
}

test('what was put is got, at every node', async () => {
  const rings = await ringOf(1, 3)
  for (const node of rings.all) {
    const key = rings.keyOf(node)
    const version = await rings.settle(kvOf(rings.at(0).upring).put(key, { hello: [1, 'world'] }))
    assert.equal(version.revision, 1)
    for (const { upring } of rings.all)
      assert.deepEqual(await rings.settle(kvOf(upring).get(key)), { hello: [1, 'world'] })
  }
  assert.equal(await rings.settle(kvOf(rings.at(1).upring).get('never')), undefined)
})

test('callbacks are called as upring-kv calls them', async () => {
  const rings = await ringOf(2, 2)
  const store = kvOf(rings.at(0).upring)
  const got = new Promise(resolve => {
    store.put('hello', 'world', error => {
      assert.equal(error, null)
      store.get('hello', (error, value) => resolve([error, value]))
    })
  })
  assert.deepEqual(await rings.settle(got), [null, 'world'])
})

test('a deleted key is gone, and its revisions go on', async () => {
  const rings = await ringOf(3, 2)
  const store = kvOf(rings.at(0).upring)
  assert.equal(await rings.settle(store.delete('key')), null)
  await rings.settle(store.put('key', 1))
  assert.equal((await rings.settle(store.delete('key')))?.revision, 2)
  const gone = await rings.settle(store.entry('key'))
  assert.equal(gone.value, undefined)
  assert.equal(gone.version?.revision, 2)
  assert.equal((await rings.settle(store.put('key', 2))).revision, 3)
})

test('a deleted key is forgotten in the end', async () => {
  const rings = await ringOfPlugin(18, 3, ({ upring }) => upring.use(kv, { tombstoneMs: 5000 }))
  const store = kvOf(rings.at(0).upring)
  await rings.settle(store.put('key', 1))
  await rings.settle(store.delete('key'))
  const held = (): number[] =>
    rings.all.map(({ upring }) => kvOf(upring).status.keys + kvOf(upring).status.owned)
  await rings.simulation.run(2000)
  assert.deepEqual(held().sort(), [0, 1, 2])
  await rings.simulation.run(6000)
  assert.deepEqual(held(), [0, 0, 0])
  assert.equal((await rings.settle(store.put('key', 2))).revision, 1)
})

test('concurrent puts of one key are ordered, and each is told to who follows it', async () => {
  const rings = await ringOf(4, 3)
  const { values, gaps } = follow(rings.at(2), 'key')
  const puts = Array.from({ length: 60 }, (_, i) => kvOf(rings.at(i % 3).upring).put('key', i))
  const versions = await rings.settle(Promise.all(puts))
  const byRevision = versions
    .map(({ revision }, i) => ({ revision, i }))
    .sort((a, b) => a.revision - b.revision)
  assert.deepEqual(
    byRevision.map(({ revision }) => revision),
    Array.from({ length: 60 }, (_, i) => i + 1)
  )
  const last = byRevision.at(-1)!.i
  await rings.simulation.until(() => values.at(-1) === last, 5000)
  const expected = byRevision.map(({ i }) => i).slice(-values.length)
  assert.deepEqual(values, expected)
  assert.deepEqual(gaps, [])
})

test('values survive the death of their owner, again and again', async () => {
  const rings = await ringOf(5, 5)
  const keys = Array.from({ length: 50 }, (_, i) => `key${i}`)
  await rings.settle(Promise.all(keys.map(key => kvOf(rings.at(0).upring).put(key, key))))
  for (let deaths = 0; deaths < 3; deaths++) {
    await quiet(rings)
    rings.crash(rings.at(0))
    for (const key of keys) assert.equal(await rings.settle(kvOf(rings.at(0).upring).get(key)), key)
    await rings.agreed()
  }
})

test('values move with their keys when nodes join and leave, also the last but one', async () => {
  const rings = await ringOf(6, 1)
  const keys = Array.from({ length: 50 }, (_, i) => `key${i}`)
  const check = async (): Promise<void> => {
    for (const { upring } of rings.all)
      for (const key of keys) assert.equal(await rings.settle(kvOf(upring).get(key)), key)
  }
  await rings.settle(Promise.all(keys.map(key => kvOf(rings.at(0).upring).put(key, key))))
  for (let i = 0; i < 3; i++) {
    await rings.up(rings.add())
    await check()
  }
  while (rings.all.length > 1) {
    await rings.leave(rings.at(0))
    await check()
  }
})

test('what a node holds is its own and the copies that belong to it, once all is quiet', async () => {
  const rings = await ringOf(7, 4)
  const keys = Array.from({ length: 100 }, (_, i) => `key${i}`)
  await rings.settle(Promise.all(keys.map(key => kvOf(rings.at(0).upring).put(key, key))))
  await rings.up(rings.add())
  await rings.leave(rings.at(1))
  rings.crash(rings.at(1))
  await rings.agreed()
  await quiet(rings)
  let held = 0
  for (const { upring } of rings.all) {
    const { status } = kvOf(upring)
    held += status.keys
    assert.equal(status.owned, keys.filter(key => upring.allocatedToMe(key)).length)
  }
  assert.equal(held, 2 * keys.length)
})

test('a node keeps a copy only for whom it sees as the owner, and tells a new owner only in the same view', async () => {
  const rings = await ringOf(17, 3)
  const [a, b, c] = [rings.at(0).upring, rings.at(1).upring, rings.at(2).upring]
  const record = [rings.keyOf(rings.at(0)), 1, 1, 'x', new Uint8Array(1)]
  const ask = (message: object): Promise<unknown> => c.peerConn(b.mymeta()).request({ ns: 'kv', ...message })
  const isStranger = await rings.rejection(ask({ cmd: 'copy', from: c.whoami(), record }))
  assert.equal(isStranger.code, 'OWNER_MOVED')
  assert.deepEqual(await rings.settle(ask({ cmd: 'copy', from: a.whoami(), record })), {})
  assert.equal(a.digest, b.digest)
  const isElsewhere = await rings.rejection(ask({ cmd: 'pull', view: b.digest + 1, ranges: [[-1, 1]] }))
  assert.equal(isElsewhere.code, 'OWNER_MOVED')
  for (const message of [
    { cmd: 'copy', from: a.whoami(), record: [] },
    { cmd: 'offer' },
    { cmd: 'give', records: [1] }
  ])
    assert.equal((await rings.rejection(ask(message))).code, 'BAD_REQUEST')
})

test('a live stream goes on at the next owner, and says what it missed', async () => {
  const rings = await ringOf(8, 4)
  const key = rings.keyOf(rings.at(1))
  const writer = kvOf(rings.at(0).upring)
  const { values, gaps } = follow(rings.at(0), key)
  await rings.settle(writer.put(key, 'one'))
  await rings.simulation.until(() => values.length === 1, 5000)
  rings.crash(rings.at(1))
  await rings.settle(writer.put(key, 'two'))
  await rings.settle(writer.put(key, 'three'))
  await rings.settle(writer.put(key, 'four'))
  await rings.simulation.until(() => values.at(-1) === 'four', 5000)
  const missed = gaps.reduce((sum, gap) => sum + gap.missed!, 0)
  assert.deepEqual(values, ['one', ...['two', 'three', 'four'].slice(missed)])
})

test('a live stream shows a deletion as undefined, and what is put after it', async () => {
  const rings = await ringOf(13, 2)
  const store = kvOf(rings.at(0).upring)
  const key = rings.keyOf(rings.at(1))
  const { values, gaps } = follow(rings.at(0), key)
  await rings.settle(store.put(key, 1))
  await rings.simulation.until(() => values.length === 1, 5000)
  await rings.settle(store.delete(key))
  await rings.settle(store.put(key, 2))
  await rings.simulation.until(() => values.length === 3, 5000)
  assert.deepEqual(values, [1, undefined, 2])
  assert.deepEqual(gaps, [])
})

test('a live stream is an async iterator', async () => {
  const rings = await ringOf(14, 2)
  const store = kvOf(rings.at(0).upring)
  await rings.settle(store.put('key', 'first'))
  const read = async (): Promise<unknown[]> => {
    const values: unknown[] = []
    for await (const value of store.liveUpdates('key')) {
      values.push(value)
      if (values.length === 2) break
      void store.put('key', 'second')
    }
    return values
  }
  assert.deepEqual(await rings.settle(read()), ['first', 'second'])
})

test('what was said to be missed is all that was missed when both owner and replica die', async () => {
  const rings = await ringOf(15, 4)
  const key = rings.keyOf(rings.at(2))
  const reader = rings.at(0).upring.next(key)!.id === rings.at(0).upring.whoami() ? rings.at(1) : rings.at(0)
  const { values, gaps } = follow(reader, key)
  await rings.settle(kvOf(reader.upring).put(key, 1))
  await rings.simulation.until(() => values.length === 1, 5000)
  const replica = reader.upring.next(key)!.id
  rings.crash(rings.all.find(({ upring }) => upring.whoami() === replica)!)
  rings.crash(rings.all.find(({ upring }) => upring.allocatedToMe(key))!)
  await rings.simulation.until(() => values.length === 2, 30_000)
  assert.deepEqual(values, [1, undefined])
  assert.equal(gaps.length, 1)
  assert.equal(gaps[0]!.missed, null)
})

test('both sides of a partition write; the later write wins, everywhere, and revisions go on', async () => {
  const rings = await ringOf(9, 4)
  const key = rings.keyOf(rings.at(0))
  const [a, b] = [kvOf(rings.at(0).upring), kvOf(rings.at(3).upring)]
  await rings.settle(a.put(key, 'before'))
  const names = rings.all.map(({ name }) => name)
  rings.simulation.partition(names.slice(0, 2), names.slice(2))
  await rings.simulation.until(() => rings.all.every(({ upring }) => upring.peers().length === 1), 60_000)
  await rings.settle(a.put(key, 'a1'))
  await rings.settle(a.put(key, 'a2'))
  await rings.settle(b.put(key, 'b, later'))
  rings.simulation.heal()
  await rings.agreed(120_000)
  await quiet(rings)
  for (const { upring } of rings.all) assert.equal(await rings.settle(kvOf(upring).get(key)), 'b, later')
  assert((await rings.settle(a.put(key, 'after'))).revision > 3)
})

test('an option that is not allowed stops the start, and bounds are kept', async () => {
  const rings = await ringOfPlugin(10, 1, ({ upring }) => upring.use(kv, { keysMax: 2, valueBytesMax: 100 }))
  const store = kvOf(rings.at(0).upring)
  await rings.settle(store.put('a', 1))
  await rings.settle(store.put('b', 1))
  assert.equal((await rings.rejection(store.put('c', 1))).code, 'LIMIT_EXCEEDED')
  await rings.settle(store.put('b', 2))
  assert.equal((await rings.rejection(store.put('a', 'x'.repeat(200)))).code, 'PAYLOAD_TOO_LARGE')
  for (const value of [null, undefined])
    assert.equal((await rings.rejection(store.put('a', value))).code, 'BAD_REQUEST')
  assert.equal((await rings.rejection(store.get(''))).code, 'BAD_REQUEST')
  const wrong = rings.add()
  wrong.upring.use(kv, { keysMax: -1 })
  const failed = new Promise(resolve => wrong.upring.once('error', resolve))
  assert.equal(((await rings.settle(failed)) as { code?: string }).code, 'OPTION_INVALID')
})

test('a slow reader is told of a gap instead of holding up the writer', async () => {
  const rings = await ringOfPlugin(11, 2, ({ upring }) => upring.use(kv, { updatesMax: 4 }))
  const key = rings.keyOf(rings.at(1))
  const store = kvOf(rings.at(0).upring)
  const stream = store.liveUpdates(key)
  const gaps: Gap[] = []
  stream.on('gap', (gap: Gap) => gaps.push(gap))
  await rings.settle(new Promise(resolve => stream.once('newStream', resolve)))
  for (let i = 1; i <= 200; i++) await rings.settle(store.put(key, i))
  const values: unknown[] = []
  stream.on('data', value => values.push(value))
  await rings.simulation.until(() => values.at(-1) === 200, 5000)
  assert(values.length < 150)
  assert.equal(values.length + gaps.reduce((sum, { missed }) => sum + missed!, 0), 200)
})

test('close ends live streams', async () => {
  const rings = await ringOf(12, 2)
  const stream = kvOf(rings.at(0).upring).liveUpdates('key')
  const ended = new Promise(resolve => stream.once('end', resolve))
  stream.resume()
  const node = rings.at(0)
  await rings.leave(node)
  await rings.settle(ended)
})

test('it runs on brokers, and what a broker held is there when it has closed', async () => {
  const nodes = new Nodes(16)
  for (let i = 0; i < 3; i++) {
    const node = nodes.add()
    node.broker.upring.use(kv)
    await nodes.settle(node.broker.start(), 60_000)
  }
  const [a, b] = [nodes.at(0).broker, nodes.at(1).broker]
  const keys = Array.from({ length: 50 }, (_, i) => `key${i}`)
  await nodes.settle(Promise.all(keys.map(key => kvOf(a.upring).put(key, key))), 10_000)
  await nodes.settle(a.close(), 20_000)
  await nodes.settle(nodes.at(2).broker.close(), 20_000)
  for (const key of keys) assert.equal(await nodes.settle(kvOf(b.upring).get(key), 10_000), key)
})
