import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Cluster } from './cluster.ts'

/** Packets and bytes a second that the busiest member of a cluster at rest sends. */
async function load(seed: number, nodes: number): Promise<{ packets: number; bytes: number }> {
  const cluster = await Cluster.formed({ simulation: { seed }, nodes })
  await cluster.simulation.run(10_000)
  const before = cluster.nodes.map(({ swim }) => ({ ...swim.counters }))
  const seconds = 100
  await cluster.simulation.run(seconds * 1000)
  const most = (name: 'packetsOut' | 'bytesOut'): number =>
    Math.max(...cluster.nodes.map(({ swim }, i) => (swim.counters[name] - before[i]![name]) / seconds))
  return { packets: most('packetsOut'), bytes: most('bytesOut') }
}

for (const seed of [1, 2]) {
  test(`what a member sends at rest does not grow with the cluster (seed ${seed})`, async () => {
    const small = await load(seed, 5)
    const large = await load(seed, 50)
    // One ping and one ack an interval; who is probed when is chance.
    assert.ok(small.packets < 2.2, `${small.packets} packets/s`)
    assert.ok(large.packets < 2.2, `${large.packets} packets/s`)
    assert.ok(large.bytes < 1.2 * small.bytes, `${small.bytes} to ${large.bytes} bytes/s`)
  })
}

test('no state is sent while acks say that all agree, and one is when they do not', async () => {
  const cluster = await Cluster.formed({ simulation: { seed: 1 }, nodes: 5 })
  const sum = (name: 'syncs' | 'syncsSpared'): number =>
    cluster.nodes.reduce((total, { swim }) => total + swim.counters[name], 0)
  const before = sum('syncs')
  await cluster.simulation.run(300_000)
  assert.equal(sum('syncs'), before)
  assert.ok(sum('syncsSpared') >= 5 * 8)
  // News that its packets did not carry: only a push-pull can tell.
  cluster.node(4).host.cut()
  cluster.node(0).swim.setMeta({ news: 1 })
  await cluster.simulation.run(1500)
  cluster.node(4).host.uncut()
  await cluster.agreement(10_000)
  assert.equal(cluster.node(4).swim.member(cluster.node(0).id)?.meta['news'], 1)
})
