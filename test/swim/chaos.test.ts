// Random faults, then quiet: whatever happened, all that live agree in the end on who does.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { swimPresets } from '../../broker/swim/config.ts'
import { SeededRandom } from '../simulation/random.ts'
import { Cluster, type Node } from './cluster.ts'

const STEPS = 25
const SEEDS = Number(process.env['SWIM_SEEDS'] ?? 25)

async function step(
  cluster: Cluster,
  random: SeededRandom,
  gone: Set<Node>,
  paused: Set<Node>
): Promise<void> {
  const node = random.pick(cluster.nodes)
  const other = random.pick(cluster.nodes)
  switch (random.integer(10)) {
    case 0:
      node.host.crash()
      paused.delete(node)
      gone.add(node)
      if (random.chance(0.5)) other.swim.hint(node.id, 'refused')
      break
    case 1:
      if (!gone.has(node)) break
      node.host.wallSkewMs = random.between(-10_000, 10_000)
      await cluster.restart(node, { number: random.integer(100) })
      gone.delete(node)
      if (random.chance(0.7)) node.swim.join(cluster.nodes.map(each => each.id)).catch(() => {})
      break
    case 2:
      if (gone.has(node) || paused.has(node)) break
      void node.swim.leave()
      await cluster.simulation.run(random.integer(500))
      node.swim.stop()
      node.host.crash()
      gone.add(node)
      break
    case 3:
      if (gone.has(node)) break
      node.host.pause()
      paused.add(node)
      break
    case 4:
      for (const each of paused) each.host.resume()
      paused.clear()
      break
    case 5:
    case 6: {
      const side = cluster.nodes.map(each => each.name).filter(() => random.chance(0.5))
      const rest = cluster.nodes.map(each => each.name).filter(name => !side.includes(name))
      cluster.simulation.partition(side, rest)
      break
    }
    case 7:
      cluster.simulation.heal()
      break
    case 8:
      cluster.simulation.setLoss(random.chance(0.5) ? 0 : random.between(0, 0.4))
      break
    default:
      if (!gone.has(node)) node.swim.setMeta({ number: random.integer(100) })
      other.swim.hint(node.id, random.chance(0.5) ? 'reset' : 'refused')
  }
}

for (let seed = 1; seed <= SEEDS; seed++) {
  test(`after any faults and a minute of quiet, all agree on who lives, and what they say of themselves (seed ${seed})`, async () => {
    const random = new SeededRandom(`chaos ${seed}`)
    const nodes = 3 + random.integer(6)
    const config = random.chance(0.5) ? swimPresets.lan : swimPresets.local
    const cluster = await Cluster.formed({
      simulation: { seed, reorder: 0.1, duplicate: 0.1 },
      nodes,
      config
    })
    const gone = new Set<Node>()
    const paused = new Set<Node>()
    for (let i = 0; i < STEPS; i++) {
      await step(cluster, random, gone, paused)
      await cluster.simulation.run(random.integer(random.chance(0.2) ? 20_000 : 1000))
    }
    cluster.simulation.heal()
    cluster.simulation.setLoss(0)
    for (const node of paused) node.host.resume()
    const living = cluster.nodes.filter(node => !gone.has(node))
    // Those that restarted and were not told of anyone, and that nobody knows any more, have to be introduced.
    for (const node of living) node.swim.join([living[0]!.id]).catch(() => {})
    await cluster.agreement(60_000, living)
    await cluster.simulation.run(10_000)
    await cluster.agreement(1000, living)
    for (const node of living) {
      for (const other of living) assert.deepEqual(node.swim.member(other.id)?.meta, other.swim.self.meta)
      assert.ok(
        node.swim.members().every(member => member.state === 'alive'),
        'nobody is suspect'
      )
      node.swim.stop()
      assert.equal(node.host.openTimers, 0)
    }
  })
}
