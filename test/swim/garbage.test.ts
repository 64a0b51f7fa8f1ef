import assert from 'node:assert/strict'
import { test } from 'node:test'
import { encodeNews, encodePacket, encodePingRequest } from '../../broker/swim/codec.ts'
import { checksumSeal } from '../../broker/swim/seal.ts'
import { SeededRandom } from '../simulation/random.ts'
import { Cluster } from './cluster.ts'

const from = { host: '10.6.6.6', port: 666 }

for (const seed of [1, 2, 3]) {
  test(`random and damaged packets and states change nothing (seed ${seed})`, async () => {
    const cluster = await Cluster.formed({ simulation: { seed }, nodes: 3 })
    const { swim } = cluster.node(0)
    const random = new SeededRandom(seed)
    const real = checksumSeal.seal(
      encodePacket(0, [encodeNews({ ...swim.members()[1]!, state: 'dead', accuser: swim.self.id })])
    )
    const state = cluster.node(1).swim
    const before = [swim.digest, swim.members(), swim.self]
    const { packetsOut, packetsInvalid } = swim.counters
    for (let i = 0; i < 3000; i++) {
      swim.receive(random.bytes(random.integer(1600)), from)
      const damaged = real.slice(0, real.length - random.integer(3))
      damaged[random.integer(damaged.length)]! ^= 1 + random.integer(255)
      swim.receive(damaged, from)
      assert.throws(() => state.receivePushPull(random.bytes(random.integer(500))), {
        code: 'PACKET_INVALID'
      })
    }
    assert.deepEqual([swim.digest, swim.members(), swim.self], before)
    assert.equal(swim.counters.packetsInvalid - packetsInvalid, 6000)
    assert.equal(swim.counters.packetsOut, packetsOut, 'no answer either')
    await cluster.simulation.run(5000)
    assert.deepEqual(cluster.told, [])
  })
}

test('valid packets from anyone cannot have us ping strangers, and pings for others are bounded', async () => {
  const cluster = await Cluster.formed({ simulation: { seed: 1 }, nodes: 3 })
  const { swim } = cluster.node(0)
  const request = (id: string): Uint8Array => {
    const target = { ...swim.self, id }
    return checksumSeal.seal(
      encodePacket(0, [encodePingRequest({ sequence: 7, target, sender: '10.6.6.6:666' })])
    )
  }
  swim.receive(request('10.5.5.5:80'), from)
  swim.receive(request(swim.self.id), from)
  assert.equal(swim.counters.relays, 0)
  for (let i = 0; i < 5000; i++) swim.receive(request(cluster.node(1).id), from)
  assert.ok(swim.counters.relaysRefused > 0)
  assert.ok(swim.counters.relays <= 4096)
  await cluster.simulation.run(60_000)
  await cluster.agreement(1000)
  assert.deepEqual(cluster.changes('died'), [])
})
