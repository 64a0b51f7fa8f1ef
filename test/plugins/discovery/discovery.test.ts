// The registry of services on a simulated ring: leases, watches, and what survives the death of a service's owner.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { discovery, discoveryOf, type ServiceEvent } from '../../../broker/plugins/discovery/index.ts'
import type { RingNode, Rings } from '../../upring/rings.ts'
import { ringOfPlugin } from '../rings.ts'

const TTL_MS = 3000

async function ringOf(seed: number, count: number): Promise<Rings> {
  return await ringOfPlugin(seed, count, ({ upring }) => upring.use(discovery))
}

function watch(node: RingNode, service: string): string[] {
  const told: string[] = []
  discoveryOf(node.upring)
    .watch(service)
    .on('data', ({ type, instance, meta }: ServiceEvent) =>
      told.push(`${type} ${instance} ${meta ?? ''}`.trim())
    )
  return told
}

async function namesOf(rings: Rings, node: RingNode, service: string): Promise<string[]> {
  const instances = await rings.settle(discoveryOf(node.upring).lookup(service))
  return instances.map(({ instance }) => instance)
}

test('a service is looked up and watched at any node', async () => {
  const rings = await ringOf(1, 3)
  const [a, b, c] = [rings.at(0), rings.at(1), rings.at(2)]
  const one = await rings.settle(discoveryOf(a.upring).register('web', 'one', { ttlMs: TTL_MS, meta: 'x' }))
  const told = watch(c, 'web')
  await rings.simulation.until(() => told.length === 1, 5000)
  const two = await rings.settle(discoveryOf(b.upring).register('web', 'two', { ttlMs: TTL_MS, meta: 'y' }))
  assert.deepEqual(await rings.settle(discoveryOf(c.upring).lookup('web')), [
    { instance: 'one', meta: 'x' },
    { instance: 'two', meta: 'y' }
  ])
  await rings.settle(one.update('z'))
  await rings.settle(two.release())
  await rings.settle(two.release())
  await rings.simulation.until(() => told.length === 4, 5000)
  assert.deepEqual(told, ['up one x', 'up two y', 'changed one z', 'down two y'])
  assert.deepEqual(await namesOf(rings, a, 'web'), ['one'])
  assert.deepEqual(await namesOf(rings, a, 'other'), [])
})

test('a lease is renewed as long as its holder lives, and runs out when it does not', async () => {
  const rings = await ringOf(2, 4)
  const service = rings.keyOf(rings.at(0), 'service')
  const [holder, other] = [rings.at(1), rings.at(2)]
  await rings.settle(discoveryOf(holder.upring).register(service, 'one', { ttlMs: TTL_MS }))
  const told = watch(other, service)
  await rings.simulation.run(10 * TTL_MS)
  assert.deepEqual(await namesOf(rings, other, service), ['one'])
  rings.crash(holder)
  await rings.simulation.until(() => told.length === 2, TTL_MS + 1000)
  assert.deepEqual(told, ['up one', 'down one'])
  assert.deepEqual(await namesOf(rings, other, service), [])
})

test('leases survive the death of the owner of their service, and no watcher sees them go', async () => {
  const rings = await ringOf(3, 4)
  const service = rings.keyOf(rings.at(0), 'service')
  const [holder, other] = [rings.at(1), rings.at(2)]
  const lease = await rings.settle(discoveryOf(holder.upring).register(service, 'one', { ttlMs: TTL_MS }))
  const told = watch(other, service)
  rings.crash(rings.at(0))
  await rings.simulation.run(10 * TTL_MS)
  assert.deepEqual(told, ['up one'])
  assert.deepEqual(await namesOf(rings, other, service), ['one'])
  assert.equal(lease.lost, 0)
  rings.crash(holder)
  await rings.simulation.until(() => told.length === 2, 2 * TTL_MS)
  assert.equal(told[1], 'down one')
})

test('when owner and holder die together, the next owner ends the lease', async () => {
  const rings = await ringOf(4, 4)
  const service = rings.keyOf(rings.at(0), 'service')
  const [holder, other] = [rings.at(1), rings.at(2)]
  await rings.settle(discoveryOf(holder.upring).register(service, 'one', { ttlMs: TTL_MS }))
  const told = watch(other, service)
  await rings.simulation.until(() => told.length === 1, 5000)
  rings.crash(holder)
  rings.crash(rings.at(0))
  await rings.simulation.until(() => told.length === 2, 30_000)
  assert.equal(told[1], 'down one')
})

test('a holder that stood still for longer than its lease registers again', async () => {
  const rings = await ringOf(5, 4)
  const service = rings.keyOf(rings.at(0), 'service')
  const [holder, other] = [rings.at(1), rings.at(2)]
  const lease = await rings.settle(discoveryOf(holder.upring).register(service, 'one', { ttlMs: 1000 }))
  const told = watch(other, service)
  await rings.simulation.until(() => told.length === 1, 5000)
  holder.host.pause()
  // It may be the replica, which is waited for until it is taken for dead.
  await rings.simulation.until(() => told.length === 2, 30_000)
  holder.host.resume()
  await rings.simulation.until(() => told.length === 3, 60_000)
  assert.deepEqual(told, ['up one', 'down one', 'up one'])
  assert(lease.lost > 0)
})

test('who registers an instance again has it, and its old holder cannot take it away', async () => {
  const rings = await ringOf(6, 3)
  const [a, b] = [discoveryOf(rings.at(0).upring), discoveryOf(rings.at(1).upring)]
  const old = await rings.settle(a.register('web', 'one', { meta: 'old' }))
  await rings.settle(b.register('web', 'one', { meta: 'new' }))
  const older = await rings.settle(a.register('web', 'two', { ttlMs: TTL_MS, meta: 'old' }))
  await rings.settle(b.register('web', 'two', { ttlMs: TTL_MS, meta: 'new' }))
  await rings.settle(old.release())
  await rings.simulation.until(() => older.replaced && older.released, TTL_MS)
  await rings.simulation.run(5 * TTL_MS)
  assert.deepEqual(await rings.settle(a.lookup('web')), [
    { instance: 'one', meta: 'new' },
    { instance: 'two', meta: 'new' }
  ])
})

test('a node that closes releases what it holds', async () => {
  const rings = await ringOf(7, 3)
  await rings.settle(discoveryOf(rings.at(0).upring).register('web', 'one'))
  const told = watch(rings.at(2), 'web')
  await rings.simulation.until(() => told.length === 1, 5000)
  await rings.leave(rings.at(0))
  await rings.simulation.until(() => told.length === 2, 5000)
  assert.deepEqual(told, ['up one', 'down one'])
})

test('bounds are kept', async () => {
  const rings = await ringOfPlugin(8, 1, ({ upring }) => upring.use(discovery, { instancesMax: 1 }))
  const registry = discoveryOf(rings.at(0).upring)
  await rings.settle(registry.register('web', 'one'))
  assert.equal((await rings.rejection(registry.register('web', 'two'))).code, 'LIMIT_EXCEEDED')
  assert.equal((await rings.rejection(registry.register('web', 'one', { ttlMs: 1 }))).code, 'OPTION_INVALID')
  assert.equal((await rings.rejection(registry.register('', 'one'))).code, 'BAD_REQUEST')
})
