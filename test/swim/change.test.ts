import assert from 'node:assert/strict'
import { test } from 'node:test'
import { swimPresets } from '../../broker/swim/config.ts'
import { Cluster } from './cluster.ts'

for (const seed of [1, 2, 3]) {
  test(`a node that leaves is gone everywhere within a second, and not suspected (seed ${seed})`, async () => {
    const cluster = await Cluster.formed({ simulation: { seed }, nodes: 10 })
    const leaver = cluster.node(4)
    const left = leaver.swim.leave()
    assert.equal(leaver.swim.leave(), left, 'twice is once')
    await cluster.simulation.run(500)
    await left
    leaver.swim.stop()
    await cluster.agreement(
      500,
      cluster.nodes.filter(node => node !== leaver)
    )
    await cluster.simulation.run(60_000)
    assert.equal(cluster.changes('left', leaver).length, 9)
    assert.equal(cluster.told.length, 9, 'nothing else was told')
    assert.equal(cluster.node(0).swim.member(leaver.id)?.state, 'left')
    assert.equal(leaver.host.openTimers, 0)
  })

  test(`new metadata is everywhere within 100 ms in a cluster at rest, the last of many within a second (seed ${seed})`, async () => {
    const cluster = await Cluster.formed({ simulation: { seed }, nodes: 20 })
    const author = cluster.node(7)
    author.swim.setMeta({ phase: 'serving' })
    await cluster.agreement(100)
    assert.equal(cluster.changes('updated', author).length, 19)
    for (let i = 0; i < 50; i++) {
      author.swim.setMeta({ phase: 'serving', i })
      await cluster.simulation.run(3)
    }
    await cluster.agreement(1000)
    assert.ok(cluster.nodes.every(node => node.swim.member(author.id)?.meta['i'] === 49))
  })

  test(`a restarted process is known as a new instance at once, and the old one dead (seed ${seed})`, async () => {
    const cluster = await Cluster.formed({ simulation: { seed }, nodes: 5 })
    const node = cluster.node(3)
    const before = node.swim.self
    node.host.crash()
    await cluster.simulation.run(300)
    await cluster.restart(node, { number: 3 })
    void node.swim.join([cluster.node(0).id])
    await cluster.agreement(1000)
    assert.equal(cluster.changes('restarted', node).length, 4)
    assert.deepEqual(cluster.changes('died', node), [])
    const now = cluster.node(1).swim.member(node.id)
    assert.notEqual(now?.instance, before.instance)
    assert.equal(now?.meta['generation'], 1)
  })

  test(`a process that restarts and is told of by nobody is found by the next ping (seed ${seed})`, async () => {
    const cluster = await Cluster.formed({ simulation: { seed }, nodes: 5 })
    const node = cluster.node(3)
    node.host.crash()
    await cluster.restart(node, { number: 3 })
    await cluster.agreement(5000)
    assert.equal(cluster.changes('restarted', node).length, 4)
  })

  test(`a new instance wins over an old one with a higher incarnation (seed ${seed})`, async () => {
    const cluster = await Cluster.formed({ simulation: { seed }, nodes: 5 })
    const node = cluster.node(3)
    // So many changes that the clock's milliseconds are behind.
    for (let i = 0; i < 20_000; i++) node.swim.setMeta({ i })
    await cluster.agreement(2000)
    const before = node.swim.self
    node.host.crash()
    await cluster.restart(node, { number: 3 })
    assert.ok(node.swim.self.incarnation < before.incarnation)
    void node.swim.join([cluster.node(0).id])
    await cluster.agreement(1000)
    assert.ok(cluster.node(1).swim.member(node.id)!.incarnation > before.incarnation)
    assert.equal(cluster.changes('restarted', node).length, 4)
  })

  test(`so it does when it is told of by nobody, by the answer to the next ping (seed ${seed})`, async () => {
    const cluster = await Cluster.formed({ simulation: { seed }, nodes: 5 })
    const node = cluster.node(3)
    node.host.crash()
    node.host.wallSkewMs = -3_600_000
    await cluster.restart(node, { number: 3 })
    await cluster.agreement(5000)
    assert.equal(cluster.changes('restarted', node).length, 4)
    assert.deepEqual(cluster.changes('died'), [])
  })

  test(`an id that left comes back with a new instance (seed ${seed})`, async () => {
    const cluster = await Cluster.formed({ simulation: { seed }, nodes: 4 })
    const node = cluster.node(2)
    void node.swim.leave()
    await cluster.simulation.run(2000)
    node.swim.stop()
    node.host.crash()
    await cluster.simulation.run(5000)
    await cluster.restart(node, { number: 2 })
    void node.swim.join([cluster.node(0).id])
    await cluster.agreement(1000)
    assert.equal(cluster.changes('joined', node).length, 3)
  })

  test(`a partition is noticed by both sides, and heals by itself (seed ${seed})`, async () => {
    const cluster = await Cluster.formed({ simulation: { seed }, nodes: 9 })
    const small = cluster.nodes.slice(0, 3)
    const large = cluster.nodes.slice(3)
    const names = (nodes: typeof small): string[] => nodes.map(node => node.name)
    cluster.simulation.partition(names(small), names(large))
    await cluster.agreement(90_000, large)
    await cluster.agreement(90_000, small)
    cluster.node(0).swim.setMeta({ side: 'small' })
    cluster.node(8).swim.setMeta({ side: 'large' })
    await cluster.simulation.run(60_000)
    cluster.told.length = 0
    cluster.simulation.heal()
    await cluster.agreement(30_000)
    assert.deepEqual(cluster.changes('died'), [], 'nobody believes the other side of the deaths on this one')
    assert.equal(cluster.node(8).swim.member(cluster.node(0).id)?.meta['side'], 'small')
    assert.equal(cluster.node(0).swim.member(cluster.node(8).id)?.meta['side'], 'large')
  })

  test(`a single node cut off for ten minutes rejoins within 30 s (seed ${seed})`, async () => {
    const cluster = await Cluster.formed({ simulation: { seed }, nodes: 20 })
    const [lonely, ...rest] = cluster.nodes
    cluster.simulation.partition(
      [lonely!.name],
      rest.map(node => node.name)
    )
    await cluster.simulation.run(600_000)
    assert.deepEqual(lonely!.view(), [lonely!.id])
    cluster.simulation.heal()
    await cluster.agreement(30_000)
  })

  test(`dead members are forgotten in time, and never more are kept than allowed (seed ${seed})`, async () => {
    const config = { ...swimPresets.local, deadMax: 2, deadMemoryMs: 20_000 }
    const cluster = await Cluster.formed({ simulation: { seed }, nodes: 8, config })
    const [survivor, ...rest] = cluster.nodes
    for (const node of rest.slice(0, 5)) node.host.cut()
    await cluster.agreement(20_000, [survivor!, ...rest.slice(5)])
    const known = rest.slice(0, 5).filter(node => survivor!.swim.member(node.id) !== undefined)
    assert.ok(known.length <= 2, `${known.length} known`)
    await cluster.simulation.run(30_000)
    assert.ok(rest.slice(0, 5).every(node => survivor!.swim.member(node.id) === undefined))
  })
}

test('metadata beyond its limit is refused, and the old one stays', async () => {
  const cluster = await Cluster.start({ simulation: { seed: 1 }, nodes: 1 })
  const { swim } = cluster.node(0)
  const before = swim.self
  assert.throws(() => swim.setMeta({ large: 'x'.repeat(600) }), { code: 'LIMIT_EXCEEDED' })
  assert.equal(swim.self, before)
})

test('the same metadata again is no change', async () => {
  const cluster = await Cluster.formed({ simulation: { seed: 1 }, nodes: 3 })
  const { swim } = cluster.node(0)
  swim.setMeta({ ...swim.self.meta })
  await cluster.simulation.run(2000)
  assert.deepEqual(cluster.told, [])
})

test('a table that is full of live members takes no more, and says so', async () => {
  const config = { ...swimPresets.lan, membersMax: 4 }
  const cluster = await Cluster.start({ simulation: { seed: 1 }, nodes: 6, config })
  for (const node of cluster.nodes) node.swim.join([cluster.node(0).id]).catch(() => {})
  await cluster.simulation.run(10_000)
  assert.ok(cluster.nodes.every(node => node.swim.size <= 4))
  assert.ok(cluster.node(0).swim.counters.membersRefused > 0)
})

test('what a node is told agrees at every moment with what it sees', async () => {
  const cluster = await Cluster.formed({ simulation: { seed: 4, loss: 0.1 }, nodes: 8 })
  const live = new Map(cluster.nodes.map(node => [node.id, new Set(node.view())]))
  cluster.node(1).host.pause()
  cluster.node(2).host.cut()
  void cluster.node(3).swim.leave()
  await cluster.simulation.run(40_000)
  cluster.node(1).host.resume()
  await cluster.simulation.run(40_000)
  for (const { by, about, change } of cluster.told) {
    const view = live.get(by)!
    assert.equal(view.has(about), change !== 'joined', `${by} told of ${about}: ${change}`)
    if (change === 'joined') view.add(about)
    if (change === 'died' || change === 'left') view.delete(about)
  }
  for (const node of cluster.nodes) {
    live.get(node.id)!.delete(node.id)
    assert.deepEqual(
      [...live.get(node.id)!].sort(),
      node.view().filter(id => id !== node.id)
    )
  }
})
