import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodePacket } from '../../broker/swim/codec.ts'
import { type SwimConfig, type SwimPreset, swimPresets } from '../../broker/swim/config.ts'
import { checksumSeal } from '../../broker/swim/seal.ts'
import { suspicionMinMs } from '../../broker/swim/suspicion.ts'
import { Cluster, type Node, PORT } from './cluster.ts'

const { lan, local } = swimPresets
const seeds = [1, 2, 3]

/** No one can need longer to notice: each member probes each other once in 2n - 1 intervals; then comes the trial, and the news. */
function detectionMaxMs(config: SwimConfig, members: number): number {
  const { probeIntervalMs, suspicionMultiplier, suspicionMaxMultiplier, gossipIntervalMs } = config
  const minMs = suspicionMinMs(suspicionMultiplier, members, probeIntervalMs)
  const trialMs = members > suspicionMultiplier ? suspicionMaxMultiplier * minMs : minMs
  return 2 * members * probeIntervalMs + trialMs + 10 * gossipIntervalMs
}

const others = (cluster: Cluster, node: Node): Node[] => cluster.nodes.filter(each => each !== node)

for (const seed of seeds) {
  for (const [preset, count] of [
    ['lan', 3],
    ['lan', 10],
    ['lan', 50],
    ['local', 5],
    ['wan', 5]
  ] as [SwimPreset, number][]) {
    test(`a lost host is dead for all of ${count} within the bound of ${preset} (seed ${seed})`, async () => {
      const config = swimPresets[preset]
      const cluster = await Cluster.formed({ simulation: { seed }, nodes: count, config })
      const lost = cluster.node(1)
      lost.host.cut()
      await cluster.agreement(detectionMaxMs(config, count), others(cluster, lost))
      const died = cluster.changes('died').filter(each => each.by !== lost.id)
      assert.deepEqual(new Set(died.map(each => each.about)), new Set([lost.id]), 'only the lost one')
      assert.equal(died.length, count - 1, 'each is told once')
      assert.ok(cluster.changes('suspected', lost).length > 0)
    })
  }

  test(`with enough witnesses the trial is short (seed ${seed})`, async () => {
    const cluster = await Cluster.formed({ simulation: { seed }, nodes: 20 })
    const lost = cluster.node(1)
    lost.host.cut()
    await cluster.agreement(15_000, others(cluster, lost))
  })

  test(`nobody dies in ten minutes at 5 % loss, with datagrams alone (seed ${seed})`, async () => {
    const cluster = await Cluster.formed({ simulation: { seed }, nodes: 20, streamPing: false })
    cluster.simulation.setLoss(0.05)
    await cluster.simulation.run(600_000)
    assert.deepEqual(cluster.changes('died'), [])
    assert.deepEqual(cluster.changes('joined'), [])
    const failed = cluster.nodes.reduce((sum, node) => sum + node.swim.counters.probesFailed, 0)
    assert.ok(failed < 60, `${failed} of 12,000 probes failed`)
    await cluster.agreement(30_000)
  })

  test(`nobody dies at 30 % loss, thanks to the stream (seed ${seed})`, async () => {
    const cluster = await Cluster.formed({ simulation: { seed }, nodes: 10 })
    cluster.simulation.setLoss(0.3)
    await cluster.simulation.run(120_000)
    assert.deepEqual(cluster.changes('died'), [])
    assert.ok(cluster.nodes.some(node => node.swim.counters.probesByStream > 0))
  })

  test(`a process that is stopped and goes on before its trial is over stays (seed ${seed})`, async () => {
    const cluster = await Cluster.formed({ simulation: { seed }, nodes: 5 })
    const paused = cluster.node(2)
    paused.host.pause()
    await cluster.simulation.until(() => cluster.changes('suspected', paused).length > 0, 10_000)
    await cluster.simulation.run(2000)
    paused.host.resume()
    await cluster.simulation.run(30_000)
    assert.deepEqual(cluster.changes('died'), [])
    assert.equal(cluster.changes('refuted', paused).length, cluster.changes('suspected', paused).length)
    assert.ok(paused.swim.counters.refutations > 0)
    await cluster.agreement(1000)
  })

  test(`a process that is stopped for longer comes back, and accuses nobody for its own sleep (seed ${seed})`, async () => {
    const cluster = await Cluster.formed({ simulation: { seed }, nodes: 5 })
    const paused = cluster.node(2)
    const instance = paused.swim.self.instance
    paused.host.pause()
    await cluster.simulation.run(60_000)
    assert.equal(cluster.changes('died', paused).length, 4)
    paused.host.resume()
    await cluster.agreement(10_000)
    assert.equal(cluster.changes('joined', paused).length, 4)
    assert.equal(cluster.node(0).swim.member(paused.id)?.instance, instance)
    await cluster.simulation.run(60_000)
    assert.equal(cluster.changes('died').length, 4, 'the others never died')
    assert.ok(paused.swim.counters.stalls > 0)
    await cluster.agreement(1000)
  })

  test(`a node that hears but is not heard by one other stays, thanks to the rest (seed ${seed})`, async () => {
    let deaf = false
    const lose = (from: string, to: string): boolean => deaf && from === '10.0.0.1' && to === '10.0.0.2'
    const cluster = await Cluster.formed({ simulation: { seed }, nodes: 6, streamPing: false, lose })
    deaf = true
    await cluster.simulation.run(120_000)
    assert.deepEqual(cluster.changes('suspected'), [])
    assert.ok(cluster.node(1).swim.counters.probesIndirect > 0)
  })

  test(`a node that cannot be heard by half the others blames itself before them (seed ${seed})`, async () => {
    let deaf = false
    // Node 1 gets nothing from half of them, so neither their acks nor their nacks.
    const lose = (from: string, to: string): boolean =>
      deaf && to === '10.0.0.1' && Number(from.at(-1)) % 2 === 0
    const cluster = await Cluster.formed({ simulation: { seed }, nodes: 8, streamPing: false, lose })
    deaf = true
    await cluster.simulation.run(120_000)
    assert.deepEqual(cluster.changes('died'), [])
  })

  test(`a refused connection to a crashed process is its death within 150 ms (seed ${seed})`, async () => {
    const cluster = await Cluster.formed({ simulation: { seed }, nodes: 5 })
    const crashed = cluster.node(4)
    crashed.host.crash()
    const at = cluster.now
    cluster.node(0).swim.hint(crashed.id, 'refused')
    await cluster.agreement(150, others(cluster, crashed))
    const own = cluster.changes('died', crashed).find(each => each.by === cluster.node(0).id)
    assert.ok(own !== undefined && own.at - at <= lan.hintTries * lan.hintTimeoutMs + 1)
  })

  test(`a refused connection to one that lives does it no harm (seed ${seed})`, async () => {
    const cluster = await Cluster.formed({ simulation: { seed }, nodes: 5, config: local })
    for (let i = 0; i < 20; i++) {
      cluster.node(0).swim.hint(cluster.node(1).id, 'refused')
      await cluster.simulation.run(500)
    }
    assert.deepEqual(cluster.told, [])
  })

  test(`one that was declared dead although it lives is back at once (seed ${seed})`, async () => {
    let mute = false
    const lose = (from: string): boolean => mute && from === '10.0.0.1'
    const cluster = await Cluster.formed({ simulation: { seed }, nodes: 5, lose })
    mute = true
    cluster.node(0).swim.hint(cluster.node(1).id, 'refused')
    await cluster.simulation.until(() => cluster.changes('died', cluster.node(1)).length === 4, 500)
    mute = false
    await cluster.agreement(2000)
    assert.equal(cluster.changes('joined', cluster.node(1)).length, 4)
  })

  test(`one that was dead for a while, and did not hear of it, hears of it from the first it pings (seed ${seed})`, async () => {
    let cut = false
    const lose = (from: string, to: string): boolean => cut && (from === '10.0.0.1' || to === '10.0.0.1')
    const cluster = await Cluster.formed({ simulation: { seed }, nodes: 5, lose, streamPing: false })
    cut = true
    cluster.streams = false
    cluster.node(0).swim.hint(cluster.node(1).id, 'refused')
    // Long enough for the rumour to be sent as often as it is; too short for it to take others for dead.
    await cluster.simulation.run(2000)
    assert.equal(cluster.changes('died', cluster.node(1)).length, 4)
    cut = false
    const { health } = cluster.node(1).swim
    await cluster.agreement(lan.probeIntervalMs * (health + 2))
    assert.equal(cluster.changes('joined', cluster.node(1)).length, 4)
  })

  test(`the dead hear gossip for a while, and then no more (seed ${seed})`, async () => {
    let heard = 0
    const lose = (_: string, to: string): boolean => {
      if (to === '10.0.0.1') heard++
      return false
    }
    const cluster = await Cluster.formed({ simulation: { seed }, nodes: 4, lose })
    cluster.node(1).host.cut()
    cluster.node(0).swim.hint(cluster.node(1).id, 'refused')
    await cluster.simulation.run(2000)
    heard = 0
    cluster.node(0).swim.setMeta({ news: 1 })
    await cluster.simulation.run(2000)
    assert.ok(heard > 0)
    await cluster.simulation.run(lan.gossipToDeadMs)
    heard = 0
    cluster.node(0).swim.setMeta({ news: 2 })
    await cluster.simulation.run(2000)
    assert.equal(heard, 0)
  })

  test(`a suspect is told that it is one with every ping (seed ${seed})`, async () => {
    const pings: boolean[] = []
    let cut = false
    const lose = (_: string, to: string, packet: Uint8Array): boolean => {
      if (!cut || to !== '10.0.0.1') return false
      const messages = decodePacket(0, checksumSeal.open(packet).packet)
      const suspected = cluster.nodes.some(node => node.swim.member(`10.0.0.1:${PORT}`)?.state === 'suspect')
      const told = messages.some(
        each => each.kind === 'news' && each.news.host === to && each.news.state === 'suspect'
      )
      if (suspected && messages.some(each => each.kind === 'ping')) pings.push(told)
      return true
    }
    const cluster = await Cluster.formed({ simulation: { seed }, nodes: 3, lose, streamPing: false })
    cut = true
    await cluster.simulation.run(8000)
    assert.ok(pings.length >= 3)
    assert.ok(pings.slice(-3).every(told => told))
  })

  test(`whoever gets nacks for a lost host knows that the fault is not its own (seed ${seed})`, async () => {
    const cluster = await Cluster.formed({ simulation: { seed }, nodes: 5 })
    const lost = cluster.node(1)
    lost.host.cut()
    const rest = others(cluster, lost)
    let worst = 0
    await cluster.simulation.until(() => {
      worst = Math.max(worst, ...rest.map(node => node.swim.health))
      return rest.every(node => node.swim.size === 4)
    }, 60_000)
    assert.equal(worst, 0)
    await cluster.simulation.until(() => lost.swim.health > 0, 60_000)
  })

  test(`a reset connection has its member probed at once (seed ${seed})`, async () => {
    const cluster = await Cluster.formed({ simulation: { seed }, nodes: 3 })
    const lost = cluster.node(1)
    lost.host.cut()
    const at = cluster.now
    cluster.node(0).swim.hint(lost.id, 'reset')
    await cluster.simulation.until(
      () => cluster.changes('suspected', lost).length > 0,
      2 * lan.probeIntervalMs
    )
    assert.ok(cluster.now - at <= lan.probeIntervalMs + 1)
  })
}

test('hints about strangers, the dead and oneself do nothing', async () => {
  const cluster = await Cluster.formed({ simulation: { seed: 1 }, nodes: 3 })
  const { swim, id } = cluster.node(0)
  for (const evidence of ['reset', 'refused'] as const) {
    swim.hint('10.9.9.9:1', evidence)
    swim.hint(id, evidence)
    swim.hint('', evidence)
  }
  await cluster.simulation.run(5000)
  assert.deepEqual(cluster.told, [])
})
