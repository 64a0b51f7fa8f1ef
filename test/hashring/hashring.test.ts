import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { type Hashring, type HashringOptions, hashring } from '../../broker/hashring/index.ts'
import type { SimulatedHost } from '../simulation/host.ts'
import { Simulation } from '../simulation/simulation.ts'
import { withDeadline } from '../support/deadline.ts'

const PLACES = 2 ** 32
const PORT = 7979

interface Node {
  host: SimulatedHost
  ring: Hashring
}

/** Rings on the simulated network, each on a host of its own. */
class Rings {
  readonly simulation = new Simulation({ seed: 1, delayMs: [0.1, 3] })
  readonly nodes: Node[] = []

  async join(options: HashringOptions = {}): Promise<Node> {
    const name = `10.0.0.${this.nodes.length + 1}`
    const host = this.simulation.host(name)
    const base = this.nodes.filter(node => node.host.alive).map(node => node.ring.whoami())
    const cluster = { insecure: true, ...options.cluster }
    const ring = hashring({ runtime: host.runtime, host: name, port: PORT, base, ...options, cluster })
    let isUp = false
    ring.once('up', () => {
      isUp = true
    })
    await this.simulation.until(() => isUp, 30_000)
    const node = { host, ring }
    this.nodes.push(node)
    return node
  }

  static async of(count: number, options: HashringOptions = {}): Promise<Rings> {
    const rings = new Rings()
    for (let i = 0; i < count; i++) await rings.join(options)
    await rings.simulation.run(100)
    return rings
  }

  at(index: number): Hashring {
    return this.nodes[index]!.ring
  }
}

/** How many hashes events are about. */
function counted(events: readonly { start: number; end: number }[]): number {
  return events.reduce((sum, { start, end }) => sum + end - start, 0)
}

describe('hashring()', () => {
  test('all nodes name the same owner, by a key, its bytes and its hash; and that one knows it', async () => {
    const rings = await Rings.of(5)
    for (let i = 0; i < 100; i++) {
      const key = `key/${i}`
      const owner = rings.at(0).lookup(key)!
      for (const { ring } of rings.nodes) {
        assert.equal(ring.lookup(key)!.id, owner.id)
        assert.equal(ring.lookup(Buffer.from(key))!.id, owner.id)
        assert.equal(ring.lookup(ring.hash(key))!.id, owner.id)
        assert.equal(ring.allocatedToMe(key), ring.whoami() === owner.id)
      }
    }
  })

  test('peers are all the others, with what they say of themselves and their points', async () => {
    const rings = await Rings.of(3, { meta: { zone: 'a' }, replicaPoints: 30 })
    const [first, second, third] = rings.nodes.map(({ ring }) => ring.whoami())
    assert.deepEqual(
      rings
        .at(0)
        .peers()
        .map(({ id }) => id),
      [second, third]
    )
    assert.deepEqual(
      rings
        .at(0)
        .peers(true)
        .map(({ id }) => id),
      [second, third, first]
    )
    const [peer] = rings.at(0).peers()
    assert.equal(peer!.meta['zone'], 'a')
    assert.equal(peer!.points.length, 30)
    assert.deepEqual(peer!.points, rings.at(1).mymeta().points)
  })

  test('next is the heir of the owner; those to skip are skipped until no one is left', async () => {
    const rings = await Rings.of(3)
    const ring = rings.at(0)
    const owner = ring.lookup('key')!.id
    const heir = ring.next('key')!.id
    const last = ring.next('key', [heir])!.id
    assert.equal(new Set([owner, heir, last]).size, 3)
    assert.equal(ring.next('key', [heir, last]), null)
    assert.equal(ring.next('key', [owner])!.id, heir)
    const gone = rings.nodes.find(node => node.ring.whoami() === owner)!
    const left = rings.nodes.find(node => node !== gone)!
    gone.host.crash()
    await rings.simulation.until(() => left.ring.lookup('key')!.id !== owner, 60_000)
    assert.equal(left.ring.lookup('key')!.id, heir)
  })

  test('what one node loses to another that joins it wins back when that one leaves', async () => {
    const rings = await Rings.of(1)
    const first = rings.at(0)
    const moved: { start: number; end: number }[] = []
    const stolen: { start: number; end: number }[] = []
    const told: string[] = []
    first.on('move', event => {
      moved.push(event)
      told.push(`move to ${event.to!.id}`)
    })
    first.on('steal', event => {
      stolen.push(event)
      told.push(`steal from ${event.from!.id}`)
    })
    first.on('peerUp', ({ id }) => told.push(`up ${id}`))
    first.on('peerDown', ({ id }) => told.push(`down ${id}`))
    const { ring: second } = await rings.join()
    await rings.simulation.run(100)
    const id = second.whoami()
    const share = counted(moved) / PLACES
    assert.ok(share > 0.4 && share < 0.6, `${share} has moved`)
    for (const { start, end } of moved) {
      assert.equal(second.allocatedToMe(end), true)
      if (start >= 0) assert.equal(second.allocatedToMe(start), false)
    }
    void second.close()
    await rings.simulation.until(() => first.peers().length === 0, 30_000)
    assert.equal(counted(stolen), counted(moved))
    assert.deepEqual([...new Set(told)], [`move to ${id}`, `up ${id}`, `down ${id}`, `steal from ${id}`])
  })

  test("a client knows the ring, owns nothing, and is no one's peer", async () => {
    const rings = await Rings.of(2)
    const { ring: client } = await rings.join({ client: true })
    await rings.simulation.run(100)
    assert.equal(client.peers().length, 2)
    assert.equal(rings.at(0).peers().length, 1)
    fc.assert(
      fc.property(fc.string(), key => {
        assert.equal(client.allocatedToMe(key), false)
        assert.equal(client.lookup(key)!.id, rings.at(0).lookup(key)!.id)
      })
    )
  })

  test("a hash function of the program's own places keys, not nodes", async () => {
    const hashFunc = (key: string | Uint8Array): number => Buffer.from(key).length
    const rings = await Rings.of(2, { hashFunc })
    assert.equal(rings.at(0).hash('four'), 4)
    assert.equal(rings.at(0).lookup('four')!.id, rings.at(1).lookup(4)!.id)
    assert.equal(rings.at(0).peers()[0]!.points.length, 100)
  })

  test('rings of different names do not meet', async () => {
    const rings = await Rings.of(1)
    const stranger = rings.simulation.host('10.0.0.9')
    const other = hashring({
      name: 'other',
      runtime: stranger.runtime,
      host: '10.0.0.9',
      port: PORT,
      base: [rings.at(0).whoami()],
      cluster: { insecure: true }
    })
    let isUp = false
    other.once('up', () => {
      isUp = true
    })
    await rings.simulation.run(5000)
    assert.equal(isUp, false)
    assert.equal(rings.at(0).peers().length, 0)
    void other.close()
    await rings.simulation.run(3000)
  })

  test('before it is up it knows nothing; options out of bounds, and a port in use, are told', async () => {
    const ring = hashring()
    assert.throws(() => ring.whoami(), { code: 'CLOSED' })
    assert.throws(() => ring.lookup('a'), { code: 'CLOSED' })
    await withDeadline(once(ring, 'up'), 'the ring is up')
    assert.throws(() => hashring({ replicaPoints: 0 }), { code: 'OPTION_INVALID' })
    assert.throws(() => hashring({ base: 'nowhere' }), { code: 'OPTION_INVALID' })
    const second = hashring({ port: Number(ring.whoami().split(':')[1]) })
    const [error] = (await withDeadline(once(second, 'error'), 'the second fails')) as [{ code: string }]
    assert.equal(error.code, 'PORT_IN_USE')
    await ring.close()
  })

  test("on the machine's own sockets three find each other, and one that leaves is gone", async () => {
    const cluster = { preset: 'local' } as const
    const first = hashring({ cluster })
    await withDeadline(once(first, 'up'), 'the first is up')
    const others = [1, 2].map(() => hashring({ cluster, base: first.whoami() }))
    await withDeadline(Promise.all(others.map(ring => once(ring, 'up'))), 'the others are up')
    const all = [first, ...others]
    for (const ring of all) {
      while (ring.peers().length < 2) await withDeadline(once(ring, 'peerUp'), 'peers come')
    }
    for (const key of ['a', 'b', 'c', 'd']) {
      assert.equal(new Set(all.map(ring => ring.lookup(key)!.id)).size, 1)
    }
    const down = once(first, 'peerDown')
    await new Promise<void>(resolve => void others[0]!.close(() => resolve()))
    await withDeadline(down, 'the peer is gone')
    await Promise.all([first.close(), others[1]!.close()])
  })
})
