// What programs hear of the ring: keys that are tracked and awaited, parts that move, peers that come and go.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { MoveEvent, Peer, StealEvent, Upring } from '../../broker/upring.ts'
import { Rings } from './rings.ts'

interface Heard {
  readonly move: MoveEvent[]
  readonly steal: StealEvent[]
  readonly up: string[]
  readonly down: string[]
}

function listen(upring: Upring): Heard {
  const heard: Heard = { move: [], steal: [], up: [], down: [] }
  upring.on('move', event => heard.move.push(event))
  upring.on('steal', event => heard.steal.push(event))
  upring.on('peerUp', ({ id }) => heard.up.push(id))
  upring.on('peerDown', ({ id }) => heard.down.push(id))
  return heard
}

function isIn({ start, end }: { start: number; end: number }, hash: number): boolean {
  return start < hash && hash <= end
}

test('a node that joins is told what it stole, and the others what moved to it', async () => {
  const rings = await Rings.started(1, 2)
  const before = rings.all.map(({ upring }) => listen(upring))
  const joining = rings.add()
  const heard = listen(joining.upring)
  await rings.up(joining)
  for (let i = 0; i < 500; i++) {
    const hash = joining.upring.hash(`key${i}`)
    const isOurs = joining.upring.allocatedToMe(hash)
    assert.equal(
      heard.steal.some(event => isIn(event, hash)),
      isOurs
    )
    const moved = before.flatMap(({ move }) => move).filter(event => isIn(event, hash))
    assert.equal(moved.length, isOurs ? 1 : 0)
    if (isOurs) assert.equal(moved[0]!.to?.id, joining.upring.whoami())
  }
  for (const { up } of before) assert.deepEqual(up, [joining.upring.whoami()])
})

test('up is when every member knows: no key has two owners or none', async () => {
  const rings = new Rings(2)
  for (let i = 0; i < 5; i++) {
    await rings.join()
    const asked = Array.from({ length: 100 }, (_, number) => `key${number}`)
    for (const key of asked) {
      assert.equal(rings.all.filter(({ upring }) => upring.allocatedToMe(key)).length, 1)
      assert.equal(new Set(rings.all.map(({ upring }) => upring.lookup(key)?.id)).size, 1)
    }
  }
})

test('a node that leaves or dies gives its keys to the nodes that next names', async () => {
  const rings = await Rings.started(3, 4)
  for (const end of ['leave', 'crash'] as const) {
    const node = rings.at(0)
    const key = rings.keyOf(node)
    const heir = rings.at(1).upring.next(key)!
    const { upring } = rings.all.find(each => each.upring.whoami() === heir.id)!
    const heard = listen(upring)
    const id = node.upring.whoami()
    let isOwner = false
    upring.replica(key, () => {
      isOwner = true
    })
    if (end === 'leave') await rings.leave(node)
    else rings.crash(node)
    await rings.simulation.until(() => isOwner, 30_000)
    assert(upring.allocatedToMe(key))
    assert(heard.steal.some(event => isIn(event, upring.hash(key)) && event.from?.id === id))
    assert.deepEqual(heard.down, [id])
  }
})

test('a tracked key tells where it moves, once; a tracker that has ended tells nothing', async () => {
  const rings = await Rings.started(4, 1)
  const { upring } = rings.at(0)
  const moved = new Map<string, (Peer | null)[]>()
  for (let i = 0; i < 100; i++) {
    const key = `key${i}`
    moved.set(key, [])
    const tracker = upring.track(key).on('move', peer => moved.get(key)!.push(peer))
    if (i >= 50) tracker.end()
  }
  await rings.join()
  await rings.leave(rings.at(1))
  let left = 0
  for (const [index, [key, peers]] of [...moved.entries()].entries()) {
    if (index >= 50) assert.deepEqual(peers, [], key)
    else if (peers.length > 0) {
      left++
      assert.deepEqual(
        peers.map(peer => peer?.id),
        ['10.0.0.2:7979']
      )
    }
  }
  assert(left > 10)
})

test('a tracked copy tells of its node, the first one a tick later, and of each that follows', async () => {
  const rings = await Rings.started(5, 2)
  const [a, b] = [rings.at(0), rings.at(1)]
  const key = rings.keyOf(a)
  const told: (string | null)[][] = []
  a.upring
    .track(key, { replica: true })
    .on('replica', (now, before) => told.push([now.id, before?.id ?? null]))
  assert.deepEqual(told, [])
  await rings.now()
  assert.deepEqual(told, [[b.upring.whoami(), null]])
  rings.crash(b)
  await rings.simulation.until(() => a.upring.peers().length === 0, 30_000)
  assert.equal(told.length, 1)
  // More nodes, until one of them is next for the key without taking it over.
  while (a.upring.allocatedToMe(key) && told.length === 1) await rings.join()
  if (a.upring.allocatedToMe(key)) assert.deepEqual(told[1], [a.upring.next(key)!.id, null])
})

test('only an owner tracks, and only others await', async () => {
  const rings = await Rings.started(6, 2)
  const [a, b] = [rings.at(0), rings.at(1)]
  const key = rings.keyOf(a)
  assert.throws(() => b.upring.track(key), { code: 'OWNER_MOVED' })
  assert.throws(() => a.upring.replica(key, () => {}), { code: 'KEY_OWNED' })
})

test('what a closing node still tracks moves to the next owner, or to nobody', async () => {
  const rings = await Rings.started(7, 2)
  const [a, b] = [rings.at(0), rings.at(1)]
  const told: (string | null)[] = []
  const other = b.upring.whoami()
  a.upring.track(rings.keyOf(a)).on('move', peer => told.push(peer?.id ?? null))
  await rings.leave(a)
  b.upring.track('any').on('move', peer => told.push(peer?.id ?? null))
  await rings.leave(b)
  assert.deepEqual(told, [other, null])
})

test('two rings become one by join', async () => {
  const rings = new Rings(8)
  const [a, b] = [await rings.join(), await rings.join({ base: [] })]
  assert.deepEqual(a.upring.peers(), [])
  let called = false
  await rings.settle(
    a.upring.join([b.upring.whoami()], error => {
      called = error === null
    })
  )
  await rings.now()
  assert(called)
  assert.deepEqual(
    a.upring.peers().map(({ id }) => id),
    [b.upring.whoami()]
  )
  await rings.agreed()
  assert.equal((await rings.rejection(a.upring.join('10.0.0.9:1'))).code, 'JOIN_FAILED')
})

test('rings of other names do not mix', async () => {
  const rings = new Rings(9)
  const a = await rings.join({ name: 'one' })
  const b = rings.add({ name: 'other', base: [] })
  await rings.up(b)
  await rings.rejection(b.upring.join(a.upring.whoami()))
  await rings.simulation.run(5000)
  assert.deepEqual([a.upring.peers(), b.upring.peers()], [[], []])
})

test('what a node says of itself is known to all', async () => {
  const rings = await Rings.started(10, 1)
  const node = await rings.join({ hashring: { local: { meta: { zone: 'b', weights: [1, 2] } } } })
  const expected = { upring: { address: '10.0.0.2', port: 7979 }, zone: 'b', weights: [1, 2] }
  assert.deepEqual(node.upring.mymeta().meta, expected)
  const [peer] = rings.at(0).upring.peers()
  assert.deepEqual(peer!.meta, expected)
  assert.equal(peer!.points.length, 100)
  assert.deepEqual(
    rings
      .at(0)
      .upring.peers(true)
      .map(({ id }) => id),
    ['10.0.0.2:7979', '10.0.0.1:7979']
  )
})

test('a hash of one’s own places the keys', async () => {
  const hashring = { hashFunc: (key: string | Uint8Array) => key.length }
  const rings = await Rings.started(11, 2, { hashring })
  const { upring } = rings.at(0)
  assert.equal(upring.hash('four'), 4)
  assert.equal(upring.lookup('four')?.id, upring.lookup(4)?.id)
})

test('a node that was taken for dead hears that its keys were gone, and that they are back', async () => {
  const rings = await Rings.started(12, 3)
  const node = rings.at(0)
  const heard = listen(node.upring)
  const key = rings.keyOf(node)
  const told: (string | null)[] = []
  node.upring.track(key).on('move', peer => told.push(peer?.id ?? null))
  const heir = rings.at(1).upring.next(key)!.id
  const other = rings.all.find(({ upring }) => upring !== node.upring && upring.whoami() === heir)!
  node.host.pause()
  await rings.simulation.until(() => other.upring.allocatedToMe(key), 60_000)
  node.host.resume()
  await rings.simulation.until(() => told.length > 0 && node.upring.allocatedToMe(key), 60_000)
  await rings.agreed()
  assert.deepEqual(told, [heir])
  const hash = node.upring.hash(key)
  assert(heard.move.some(event => isIn(event, hash)))
  assert(heard.steal.some(event => isIn(event, hash)))
})

test('a peer that was restarted before a node looked again is told as gone and come', async () => {
  const rings = await Rings.started(13, 3, { hashring: { joinTimeout: 200 } })
  const [a, b] = [rings.at(0), rings.at(1)]
  const heard = listen(a.upring)
  const id = b.upring.whoami()
  const keys = [rings.keyOf(b, 'x'), rings.keyOf(b, 'y')]
  a.host.pause()
  const again = rings.restart(b)
  await rings.up(again)
  a.host.resume()
  await rings.simulation.until(() => heard.up.length > 0, 10_000)
  assert.deepEqual([heard.down, heard.up], [[id], [id]])
  // What the old process had was a's to take over for a moment, or another's.
  assert(heard.steal.length > 0)
  assert.deepEqual(
    heard.move.map(({ start, end, to }) => [start, end, to?.id]),
    heard.steal.map(({ start, end, from }) => [start, end, from?.id])
  )
  for (const key of keys) assert.equal(a.upring.lookup(key)?.id, id)
})
