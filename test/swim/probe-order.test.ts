import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodePacket } from '../../broker/swim/codec.ts'
import { swimPresets } from '../../broker/swim/config.ts'
import { checksumSeal } from '../../broker/swim/seal.ts'
import { Cluster } from './cluster.ts'

const NODES = 8
const INTERVAL_MS = swimPresets.lan.probeIntervalMs

/** A cluster that counts its pings, by who sent them and to whom. */
async function counting(
  seed: number,
  wallSkewMs = 0
): Promise<{ cluster: Cluster; pings: Map<string, number> }> {
  const pings = new Map<string, number>()
  const lose = (from: string, to: string, packet: Uint8Array): boolean => {
    for (const { kind } of decodePacket(0, checksumSeal.open(packet).packet)) {
      if (kind === 'ping') pings.set(`${from}>${to}`, (pings.get(`${from}>${to}`) ?? 0) + 1)
    }
    return false
  }
  const cluster = await Cluster.formed({ simulation: { seed }, nodes: NODES, lose })
  cluster.nodes.forEach(({ host }, i) => {
    host.wallSkewMs = i * wallSkewMs
  })
  await cluster.simulation.run(10 * INTERVAL_MS)
  pings.clear()
  return { cluster, pings }
}

for (const seed of [1, 2, 3]) {
  test(`each member is probed once in each interval, and by each other equally often (seed ${seed})`, async () => {
    const { cluster, pings } = await counting(seed)
    const rounds = 10 * (NODES - 1)
    await cluster.simulation.run(rounds * INTERVAL_MS)
    assert.equal(pings.size, NODES * (NODES - 1))
    // One more or less for those whose turn is at the edge of the time.
    for (const [pair, count] of pings) assert.ok(count >= 9 && count <= 11, `${pair}: ${count}`)
    for (const { name } of cluster.nodes) {
      const of = [...pings].filter(([pair]) => pair.endsWith(`>${name}`)).reduce((sum, [, n]) => sum + n, 0)
      assert.ok(Math.abs(of - rounds) <= 1, `${name} was probed ${of} times in ${rounds} intervals`)
    }
  })

  test(`no member goes two intervals without being probed (seed ${seed})`, async () => {
    const { cluster, pings } = await counting(seed)
    for (let round = 0; round < 30; round++) {
      pings.clear()
      // Whoever is probed early in one interval may be probed late in the next.
      await cluster.simulation.run(2 * INTERVAL_MS)
      const probed = new Set([...pings.keys()].map(pair => pair.split('>')[1]))
      assert.equal(probed.size, NODES)
    }
  })

  test(`members whose wall clocks differ probe all others as well (seed ${seed})`, async () => {
    const { cluster, pings } = await counting(seed, 12_345_678)
    await cluster.simulation.run(10 * (NODES - 1) * INTERVAL_MS)
    assert.equal(pings.size, NODES * (NODES - 1))
    assert.deepEqual(cluster.told, [])
  })
}

test('a member whose timers are late, or that backs off, keeps its place among the others', async () => {
  const { cluster, pings } = await counting(1)
  const paused = cluster.node(3)
  paused.host.pause()
  await cluster.simulation.run(1.4 * INTERVAL_MS)
  paused.host.resume()
  await cluster.simulation.run(30 * INTERVAL_MS)
  assert.equal(paused.swim.health, 0)
  pings.clear()
  await cluster.simulation.run(10 * (NODES - 1) * INTERVAL_MS)
  for (const [pair, count] of pings) assert.ok(count >= 9 && count <= 11, `${pair}: ${count}`)
})
