// Comparisons with what is installed here: brokers come up and go, rows leave out who does not speak them.
import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { BROKERS } from '../../load/compare/brokers.ts'
import type { Comparison } from '../../load/compare/compare.ts'
import type { BrokerKind } from '../../load/compare/started.ts'
import { main } from '../../load/main.ts'
import { usageOf } from '../../load/processes.ts'

for (const [name, kind] of Object.entries<BrokerKind>(BROKERS)) {
  const skip = kind.version() === undefined ? 'not installed' : false
  test(`${name} starts, names its processes, and leaves none behind`, { skip }, async () => {
    const broker = await kind.start(undefined)
    const usages = usageOf(broker.pids)
    await broker.stop()
    assert.ok(usages.length > 0 && usages.every(({ processes }) => processes > 0))
    assert.ok(usageOf(broker.pids).every(({ processes }) => processes === 0))
    const addresses = kind.speaks?.includes('mqtt') === false ? broker.webUrls! : broker.urls
    // Workers share their ports.
    const isOne = kind.clusterOf === undefined || name === 'shoal-workers'
    assert.equal(addresses.length, isOne ? 1 : 3)
  })
}

test('a comparison measures every broker that speaks a row, and writes a table, a page and the figures', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'load-compare-test-'))
  const screen = { write() {} }
  try {
    const quick = [
      '--rounds',
      '1',
      '--duration',
      '0.3',
      '--warm-up',
      '0',
      '--window',
      '8',
      '--results',
      folder
    ]
    const what = ['compare', '--brokers', 'shoal,uws-publish', '--rows', 'pairs,websocket']
    assert.equal(await main([...what, ...quick], screen, screen), 0)
    const files = readdirSync(folder)
    assert.deepEqual(files.map(file => file.split('.').at(-1)).sort(), ['html', 'json', 'md'])
    const text = (kind: string) =>
      readFileSync(join(folder, files.find(file => file.endsWith(kind))!), 'utf8')
    const { rows } = JSON.parse(text('json')) as Comparison
    assert.deepEqual(
      rows.map(({ cells }) => cells.map(({ broker }) => broker)),
      [['shoal'], ['shoal', 'uws-publish']]
    )
    assert.ok(rows.every(({ cells }) => cells.every(({ figures }) => figures.deliveriesPerSecond! > 0)))
    assert.match(text('md'), /\| 1 → 1,000 browsers, max \| deliveries\/s \| \S+.* \|/)
    assert.match(text('html'), /uws-publish/)
  } finally {
    rmSync(folder, { recursive: true })
  }
})
