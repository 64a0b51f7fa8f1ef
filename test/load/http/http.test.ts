// The publish API under load, and MQTT in WebSocket frames: against real nodes, since both are Shoal's own.
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { shoal } from '../../../load/compare/shoal.ts'
import { faultsOf } from '../../../load/integrity.ts'
import { checkMixture } from '../../../load/mixed/mixture.ts'
import { layOutMixed } from '../../../load/mixed/plan.ts'
import { checkOptions, parseCommandLine } from '../../../load/options.ts'
import type { ScenarioName } from '../../../load/plan.ts'
import { run, runPlan } from '../../../load/run.ts'

const silent = { phase() {}, point() {} }
const QUICK = [
  '--duration',
  '0.2',
  '--warm-up',
  '0',
  '--drain',
  '2',
  '--publishers',
  '3',
  '--subscribers',
  '2'
]

const optionsOf = (...args: string[]) => checkOptions(parseCommandLine([...QUICK, ...args]).raw)

async function sound(scenario: ScenarioName, ...args: string[]): Promise<void> {
  const result = await run(scenario, optionsOf(...args), silent)
  assert.deepEqual([...faultsOf(result.integrity, false), ...result.errors], [], args.join(' '))
  assert.ok(result.deliveries > 0, args.join(' '))
}

test('what is published by HTTP and by MQTT in WebSocket frames arrives, each once and in order', async t => {
  const node = await shoal(1).start(undefined)
  t.after(() => node.stop())
  const [mqtt, web] = [node.urls[0]!, node.webUrls![0]!]
  const http = ['--publish-to', web, '--subscribe-at', mqtt]
  const framed = ['--url', web.replace('http:', 'mqtt+ws:')]
  await sound('http', ...http)
  await sound('http', ...http, '--qos', '1', '--topics', '3')
  await sound('http', ...http, '--qos', '1', '--window', '1', '--batch', '1', '--threads', '2')
  await sound('http', ...http, '--rate', '300', '--payload', '40')
  await sound('pairs', ...framed, '--pairs', '3')
  await sound('fan-out', ...framed, '--qos', '1', '--protocol', '5', '--payload', '70000', '--window', '4')
})

test('groups of a mixture speak what they like at once', async t => {
  const node = await shoal(1).start(undefined)
  t.after(() => node.stop())
  const [mqtt, web] = [node.urls[0]!, node.webUrls![0]!]
  const options = optionsOf('--url', mqtt, '--threads', '2', '--window', '8')
  const mixture = checkMixture(
    {
      title: 'all at once',
      idle: 3,
      groups: {
        paced: {
          publishers: 3,
          topics: 2,
          rate: 200,
          subscribers: [{ count: 2 }, { count: 4, filter: 'own' }]
        },
        eager: { publishers: 2, rate: 'max', qos: 1, subscribers: [{ filter: '+/+', qos: 0 }] },
        posted: {
          publishers: 1,
          rate: 50,
          url: web,
          subscribers: [{ count: 2, filter: '+/#', url: web.replace('http', 'ws') }]
        }
      }
    },
    options
  )
  const result = await runPlan('mixed', layOutMixed(mixture, options, `mix${process.pid}`), options, silent)
  assert.deepEqual([...faultsOf(result.integrity, false), ...result.errors], [])
  assert.equal(result.title, 'all at once')
  assert.ok(result.deliveries > 0)
})

test('a publish that HTTP refuses is counted, and what the node said is shown', async t => {
  const server = createServer((request, response) => {
    request.resume().on('end', () => response.writeHead(503, { 'content-length': 8 }).end('too much'))
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const node = await shoal(1).start(undefined)
  t.after(async () => {
    server.close()
    await node.stop()
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const args = [
    '--publish-to',
    url,
    '--subscribe-at',
    node.urls[0]!,
    '--window',
    '4',
    '--drain',
    '0.1',
    '--subscribers',
    '1'
  ]
  const { integrity, errors } = await run('http', optionsOf(...args), silent)
  assert.ok(integrity.refused > 0 && integrity.refused === integrity.lost)
  assert.match(errors[0]!, /503 Service Unavailable.*too much/)
})

test('nobody can subscribe by HTTP', () => {
  assert.throws(() => optionsOf('--url', 'http://h'), /--url.*by HTTP one can only publish/)
  assert.equal(optionsOf('--publish-to', 'http://h').stamp, 'text')
})
