// The patterns that every instance answers.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import type { ReceivedStreams } from '../../broker/upring.ts'
import { Rings } from './rings.ts'

test('memory and information are told once anything is added', async () => {
  const rings = await Rings.started(1, 2)
  const [a, b] = [rings.at(0), rings.at(1)]
  b.upring.add('cmd:something', async () => ({}))
  b.upring.info['hello'] = 'world'
  const connection = a.upring.peerConn(a.upring.peers()[0]!)
  const memory = await rings.settle(connection.request({ ns: 'monitoring', cmd: 'memoryUsage' }))
  for (const field of ['rss', 'heapTotal', 'heapUsed']) assert.equal(typeof memory[field], 'number')
  assert.deepEqual(await rings.settle(connection.request({ ns: 'monitoring', cmd: 'info' })), {
    id: b.upring.whoami(),
    upring: { address: '10.0.0.2', port: 7979 },
    hello: 'world'
  })
})

test('trace samples the keys that are asked for, until its reader goes', async () => {
  const rings = await Rings.started(2, 2)
  const [a, b] = [rings.at(0), rings.at(1)]
  b.upring.add('cmd:something', async () => ({}))
  const { streams } = await rings.settle(
    a.upring
      .peerConn(b.upring.mymeta())
      .request<{ streams: ReceivedStreams }>({ ns: 'monitoring', cmd: 'trace' })
  )
  const keys = [rings.keyOf(b, 'hello'), rings.keyOf(b, 'world')]
  for (const key of keys) await rings.settle(a.upring.request({ cmd: 'something', key }))
  const [sample] = await rings.settle(once(streams['trace']!, 'data'))
  assert.deepEqual(sample, {
    id: b.upring.whoami(),
    keys: keys.reverse().map(key => ({ key, hash: a.upring.hash(key) }))
  })
  assert.equal(b.upring.listenerCount('prerequest'), 1)
  streams['trace']!.destroy()
  await rings.simulation.until(() => b.upring.listenerCount('prerequest') === 0, 1000)
})
