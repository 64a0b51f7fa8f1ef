// The examples of broker/plugins/README.md, run as they stand there; and a program written for upring-kv.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { test } from 'node:test'
import { kv } from '../../broker/plugins/kv/index.ts'
import type { Plugin, ReceivedStreams } from '../../broker/upring.ts'
import { repositoryRoot } from '../support/root.ts'
import type { Rings } from '../upring/rings.ts'
import { ringOfPlugin } from './rings.ts'

const README = readFileSync(join(repositoryRoot(), 'broker/plugins/README.md'), 'utf8')

type AnyPlugin = Plugin<Record<string, unknown>>

/** The plugin of this name. */
function example(name: string): AnyPlugin {
  const code = [...README.matchAll(/^```js\n(.*?)^```$/gms)]
    .map(([, text]) => text!)
    .find(text => text.startsWith(`function ${name} `))
  assert(code !== undefined, `no example ${name}`)
  return new Function('Readable', `${code}\nreturn ${name}`)(Readable) as AnyPlugin
}

async function ringOf(seed: number, name: string): Promise<Rings> {
  const plugin = example(name)
  return await ringOfPlugin(seed, 3, ({ upring }) => upring.use(plugin))
}

async function updatesOf(rings: Rings, ns: string, key: string): Promise<unknown[]> {
  const request = { ns, cmd: 'updates', key }
  const { upring } = rings.at(0)
  const { streams } = await rings.settle(upring.request<{ streams: ReceivedStreams }>(request))
  const updates: unknown[] = []
  streams['updates']!.on('data', update => updates.push(update)).on('end', () => updates.push('end'))
  return updates
}

test('key-value', async () => {
  const rings = await ringOf(1, 'keyValue')
  for (const { upring } of rings.all)
    await rings.settle(upring.request({ ns: 'pairs', cmd: 'put', key: upring.whoami(), value: 42 }))
  for (const { upring } of rings.all) {
    const reply = await rings.settle(
      rings.at(0).upring.request({ ns: 'pairs', cmd: 'get', key: upring.whoami() })
    )
    assert.deepEqual(reply, { key: upring.whoami(), value: 42 })
  }
})

test('live updates', async () => {
  const rings = await ringOf(2, 'liveUpdates')
  const key = rings.keyOf(rings.at(1))
  const updates = await updatesOf(rings, 'live', key)
  for (const value of [1, 2, 3])
    await rings.settle(rings.at(2).upring.request({ ns: 'live', cmd: 'put', key, value }))
  await rings.simulation.until(() => updates.length === 3, 5000)
  assert.deepEqual(updates, [1, 2, 3])
})

test('tracking', async () => {
  const rings = await ringOf(3, 'tracking')
  const key = rings.keyOf(rings.at(1))
  const updates = await updatesOf(rings, 'tracked', key)
  const heir = rings.at(0).upring.next(key)!.id
  await rings.leave(rings.at(1))
  await rings.simulation.until(() => updates.length === 2, 5000)
  assert.deepEqual(updates, [{ movedTo: heir }, 'end'])
})

test('replicas', async () => {
  const rings = await ringOf(4, 'replicas')
  const key = rings.keyOf(rings.at(1))
  await rings.settle(rings.at(0).upring.request({ ns: 'replicas', cmd: 'put', key, value: 'kept' }))
  await rings.simulation.run(100)
  for (let deaths = 0; deaths < 2; deaths++) {
    rings.crash(rings.all.find(({ upring }) => upring.allocatedToMe(key))!)
    const { upring } = rings.at(0)
    const reply = await rings.settle(upring.request({ ns: 'replicas', cmd: 'get', key }))
    assert.deepEqual(reply, { value: 'kept' })
    await rings.simulation.run(1000)
  }
})

test('a program written for upring-kv runs', async () => {
  const rings = await ringOfPlugin(5, 1, ({ upring }) => upring.use(kv))
  const program = new Function(
    'upring',
    'done',
    `
    upring.kv.put('hello', 'world', onPut)

    function onPut (err) {
      if (err) {
        return upring.logger.error(err)
      }
      upring.kv.get('hello', onGet)
    }

    function onGet (err, value) {
      if (err) {
        return upring.logger.error(err)
      }
      upring.kv.liveUpdates('hello').on('data', update => done([value, update]))
    }`
  )
  const values = await rings.settle(new Promise(resolve => program(rings.at(0).upring, resolve)))
  assert.deepEqual(values, ['world', 'world'])
})
