// A cluster with keys: it behaves as one without, its keys change while it runs, and who has none of them, or has only
// listened, changes nothing.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ClusterKeys } from '../../broker/cluster-keys.ts'
import { type Log, silentLog } from '../../broker/runtime/log.ts'
import { swimPresets } from '../../broker/swim/config.ts'
import { KeyedSeal } from '../../broker/swim/seal-keyed.ts'
import type { SwimOptions } from '../../broker/swim/swim.ts'
import { SeededRandom } from '../simulation/random.ts'
import { Cluster, type Node, PORT } from './cluster.ts'

function written(...numbers: number[]): string[] {
  return numbers.map(number => Buffer.alloc(32, number).toString('hex'))
}

/** Nodes each with keys of their own object, and all packets that were sent. */
class KeyedCluster {
  readonly keys = new Map<string, ClusterKeys>()
  readonly packets: { from: string; to: string; packet: Uint8Array }[] = []
  readonly seals = (instance: string, name: string): Pick<SwimOptions, 'seal' | 'stateSeal'> => {
    const keys = this.keys.get(name) ?? new ClusterKeys(written(1))
    this.keys.set(name, keys)
    return {
      seal: new KeyedSeal({ keys, instance, purpose: 'packet' }),
      stateSeal: new KeyedSeal({ keys, instance, purpose: 'state' })
    }
  }
  readonly lose = (from: string, to: string, packet: Uint8Array): boolean => {
    this.packets.push({ from, to, packet: Uint8Array.from(packet) })
    return false
  }

  rotate(node: Node, ...numbers: number[]): void {
    this.keys.get(node.name)!.replaceBy(new ClusterKeys(written(...numbers)))
  }
}

async function formed(seed: number, nodes = 3, config = swimPresets.lan): Promise<[KeyedCluster, Cluster]> {
  const keyed = new KeyedCluster()
  const { seals, lose } = keyed
  return [keyed, await Cluster.formed({ simulation: { seed }, nodes, config, seals, lose })]
}

const COUNTERS = ['packetsInvalid', 'packetsReplayed', 'packetsStray'] as const

function counted(cluster: Cluster, counter: (typeof COUNTERS)[number]): number {
  return cluster.nodes.reduce((sum, node) => sum + node.swim.counters[counter], 0)
}

for (const seed of [1, 2, 3]) {
  test(`members join, crash, restart and leave with keys as without (seed ${seed})`, async () => {
    const [, cluster] = await formed(seed, 5)
    cluster.node(4).host.crash()
    await cluster.agreement(30_000, cluster.nodes.slice(0, 4))
    // Nobody tells the new process: the next ping for the old one does.
    cluster.node(3).host.crash()
    await cluster.restart(cluster.node(3), { number: 3 })
    await cluster.agreement(30_000, cluster.nodes.slice(0, 4))
    await cluster.settled(cluster.node(2).swim.leave())
    cluster.node(2).swim.stop()
    await cluster.agreement(10_000, [cluster.node(0), cluster.node(1), cluster.node(3)])
    assert.equal(counted(cluster, 'packetsInvalid'), 0, `seed ${seed}`)
  })

  test(`a new key comes and the old one goes, node by node, without a suspicion (seed ${seed})`, async () => {
    const [keyed, cluster] = await formed(seed)
    for (const step of [[1, 2], [2, 1], [2]]) {
      for (const node of cluster.nodes) {
        keyed.rotate(node, ...step)
        await cluster.simulation.run(3000)
      }
    }
    await cluster.simulation.run(60_000)
    assert.deepEqual(cluster.told, [], `seed ${seed}`)
    assert.equal(counted(cluster, 'packetsInvalid'), 0, `seed ${seed}`)
    for (const node of cluster.nodes) assert.equal(node.swim.counters.probesFailed, 0, `seed ${seed}`)
  })

  test(`recorded packets, sent again, elsewhere or damaged, change nothing (seed ${seed})`, async () => {
    const [keyed, cluster] = await formed(seed)
    const random = new SeededRandom(seed)
    await cluster.simulation.run(5000)
    const before = cluster.nodes.map(({ swim }) => [swim.digest, swim.members(), swim.self])
    const sent = cluster.nodes.map(({ swim }) => swim.counters.packetsOut)
    const from = { host: '10.6.6.6', port: 666 }
    const recorded = keyed.packets.slice()
    let times = 0
    for (const { packet } of recorded) {
      for (const { swim } of cluster.nodes) {
        swim.receive(packet, from)
        times += 2
        const other = Uint8Array.from(packet)
        other[random.integer(other.length)]! ^= 1 + random.integer(255)
        swim.receive(other, from)
      }
    }
    assert.deepEqual(
      cluster.nodes.map(({ swim }) => [swim.digest, swim.members(), swim.self]),
      before
    )
    const [invalid, replayed, stray] = COUNTERS.map(counter => counted(cluster, counter)) as [
      number,
      number,
      number
    ]
    assert.equal(invalid + replayed + stray, times, 'each was refused, for one reason')
    assert.ok(invalid > 0 && replayed > 0 && stray > 0 && stray < times / 2)
    assert.deepEqual(
      cluster.nodes.map(({ swim }) => swim.counters.packetsOut),
      sent,
      'no answer either'
    )
    await cluster.simulation.run(10_000)
    assert.deepEqual(cluster.told, [], `seed ${seed}`)
  })
}

test('what was recorded before a restart brings nobody back whom all have forgotten', async () => {
  const [keyed, cluster] = await formed(4, 3, { ...swimPresets.lan, deadMemoryMs: 5000 })
  const [first, second, third] = [cluster.node(0), cluster.node(1), cluster.node(2)]
  const recorded = keyed.packets.slice()
  third.host.crash()
  await cluster.agreement(30_000, [first, second])
  await cluster.simulation.run(20_000)
  assert.equal(second.swim.member(third.id), undefined)
  first.host.crash()
  await cluster.restart(first, { number: 0 })
  await cluster.settled(first.swim.join([second.id]))
  await cluster.agreement(10_000, [first, second])
  const known = first.swim.members()
  cluster.told.length = 0
  for (const { packet } of recorded) first.swim.receive(packet, { host: third.name, port: PORT })
  assert.deepEqual(first.swim.members(), known)
  await cluster.simulation.run(60_000)
  assert.deepEqual(cluster.told, [])
})

test('a node with another key, or none, is no member, does no harm, and can come in when it has the key', async () => {
  const [keyed, cluster] = await formed(5)
  keyed.keys.set('10.0.0.3', new ClusterKeys(written(9)))
  const stranger = await cluster.add({ number: 3 })
  await assert.rejects(cluster.settled(stranger.swim.join([cluster.node(0).id])), { code: 'JOIN_FAILED' })
  await cluster.simulation.run(10_000)
  assert.deepEqual(cluster.told, [])
  keyed.rotate(stranger, 1)
  await cluster.settled(stranger.swim.join([cluster.node(0).id]))
  await cluster.agreement(10_000)
})

test('a member whose key is not that of the others any more is told of, once a minute', async () => {
  const lines: object[] = []
  const log: Log = {
    ...silentLog,
    warn: (fields, event) => lines.push({ event, ...fields }),
    child: () => log
  }
  const keyed = new KeyedCluster()
  const { seals } = keyed
  const cluster = await Cluster.formed({ simulation: { seed: 6, log }, nodes: 2, seals })
  keyed.rotate(cluster.node(1), 9)
  await cluster.simulation.run(50_000)
  const told = lines.filter(line => 'reason' in line && line.reason === 'sealed with another key')
  assert.deepEqual(told, [
    { event: 'gossip refused', from: { host: '10.0.0.0', port: PORT }, reason: 'sealed with another key' },
    { event: 'gossip refused', from: { host: '10.0.0.1', port: PORT }, reason: 'sealed with another key' }
  ])
})
