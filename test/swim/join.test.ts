import assert from 'node:assert/strict'
import { test } from 'node:test'
import { swimPresets } from '../../broker/swim/config.ts'
import { Cluster } from './cluster.ts'

for (const seed of [1, 2, 3]) {
  for (const count of [3, 20, 50]) {
    test(`${count} nodes that join by one at the same time know each other within 2 s (seed ${seed})`, async () => {
      const cluster = await Cluster.start({ simulation: { seed }, nodes: count })
      const answers = cluster.nodes.map(node => node.swim.join([cluster.node(0).id]))
      await cluster.agreement(2000)
      assert.deepEqual(
        await Promise.all(answers),
        cluster.nodes.map((_, i) => (i === 0 ? 0 : 1))
      )
      assert.equal(cluster.changes('joined').length, count * (count - 1), 'each is told of each, once')
    })
  }

  test(`a cluster forms in spite of 20 % loss (seed ${seed})`, async () => {
    const cluster = await Cluster.start({ simulation: { seed, loss: 0.2 }, nodes: 20 })
    for (const node of cluster.nodes) void node.swim.join([cluster.node(0).id])
    await cluster.agreement(15_000)
  })

  test(`a node that joins late is known to all within a second (seed ${seed})`, async () => {
    const cluster = await Cluster.formed({ simulation: { seed }, nodes: 10 })
    const late = await cluster.add({ role: 'late' })
    assert.equal(await cluster.settled(late.swim.join([cluster.node(3).id, cluster.node(7).id])), 2)
    await cluster.agreement(1000)
    assert.equal(cluster.node(5).swim.member(late.id)?.meta['role'], 'late')
  })
}

test('a node alone is a cluster of one', async () => {
  const cluster = await Cluster.start({ simulation: { seed: 1 }, nodes: 1 })
  const { swim, id } = cluster.node(0)
  assert.equal(await swim.join([]), 0)
  assert.equal(await swim.join([id]), 0)
  await cluster.simulation.run(60_000)
  assert.deepEqual(cluster.node(0).view(), [id])
  assert.equal(swim.size, 1)
  assert.equal(swim.counters.packetsOut, 0)
})

test('joining fails when none of the addresses answers, and works when one does', async () => {
  const cluster = await Cluster.start({ simulation: { seed: 1 }, nodes: 2 })
  const [first, second] = [cluster.node(0).swim, cluster.node(1).swim]
  const failed = assert.rejects(first.join(['10.9.9.9:7979', cluster.node(0).id]), {
    code: 'JOIN_FAILED',
    retryable: true
  })
  await cluster.settled(failed)
  const joined = second.join(['10.9.9.9:7979', cluster.node(0).id])
  assert.equal(await cluster.settled(joined), 1)
  await cluster.agreement(1000)
})

test('stopping ends a join that is under way, and leaves no timer behind', async () => {
  const cluster = await Cluster.start({ simulation: { seed: 1 }, nodes: 3 })
  cluster.node(2).host.cut()
  await cluster.settled(cluster.node(1).swim.join([cluster.node(0).id]))
  await cluster.simulation.run(5000)
  const { swim, host } = cluster.node(0)
  const join = assert.rejects(swim.join([cluster.node(2).id]), { code: 'CLOSED' })
  swim.hint(cluster.node(1).id, 'refused')
  swim.stop()
  await join
  const before = swim.counters.packetsOut
  await cluster.simulation.run(swimPresets.lan.syncTimeoutMs)
  assert.equal(host.openTimers, 0)
  assert.equal(swim.counters.packetsOut, before)
  await assert.rejects(swim.join([cluster.node(1).id]), { code: 'CLOSED' })
})
