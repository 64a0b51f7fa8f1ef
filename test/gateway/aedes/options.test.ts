import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createBroker } from '../../../broker/broker.ts'
import { silentLog } from '../../../broker/runtime/log.ts'
import { nodeRuntime } from '../../../broker/runtime/node.ts'
import { aedesOnRing, type Packet } from '../../../gateway/aedes/index.ts'

const QUIET = { logLevel: 'silent', cluster: { preset: 'local' } } as const

test('a broker that was made elsewhere is started and closed, but not one that runs', async t => {
  const broker = createBroker(
    { name: 'aedes', clusterPort: 0, preset: 'local' },
    nodeRuntime({ log: silentLog })
  )
  t.after(() => broker.close())
  const { close } = await aedesOnRing({ broker })
  assert(broker.ready)
  await assert.rejects(aedesOnRing({ broker }), { code: 'OPTION_INVALID' })
  await close()
  assert(broker.closing)
})

test('a session may not be larger than what a frame carries', async () => {
  await assert.rejects(aedesOnRing({ ...QUIET, sessionBytesMax: 13 * 1024 * 1024 }), {
    code: 'OPTION_INVALID'
  })
})

test('a client of the ring keeps nothing, and finds all that others keep', async t => {
  const keeper = await aedesOnRing(QUIET)
  t.after(() => keeper.close())
  const cluster = { preset: 'local', client: true } as const
  const client = await aedesOnRing({ logLevel: 'silent', base: keeper.broker.id, cluster })
  t.after(() => client.close())
  await client.persistence.storeRetained({ topic: 'a/b', payload: Buffer.from('kept'), qos: 0, retain: true })
  const found = (await client.persistence.createRetainedStream('a/+').toArray()) as Packet[]
  assert.deepEqual(
    found.map(({ payload }) => `${payload}`),
    ['kept']
  )
  assert.equal(client.status()['items'], 0)
  assert.equal(keeper.status()['items'], 1)
})
