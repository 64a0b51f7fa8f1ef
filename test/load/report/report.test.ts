import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Comparison } from '../../../load/compare/compare.ts'
import { type Cell, cellOf, median } from '../../../load/compare/outcome.ts'
import { comparisonPage } from '../../../load/compare/page.ts'
import { comparisonMarkdown } from '../../../load/compare/tables.ts'
import { chart } from '../../../load/report/chart.ts'
import { consoleProgress, summary } from '../../../load/report/console.ts'
import { count, duration, memory } from '../../../load/report/figures.ts'
import { htmlReport } from '../../../load/report/html.ts'
import type { LoadResult } from '../../../load/result.ts'

const latency = { count: 10, meanUs: 5, p50Us: 4, p90Us: 8, p99Us: 900, p999Us: 1_000, maxUs: 2_500_000 }
const machine = { cpu: 'A <fast> one', cores: 2, memoryGib: 8, kernel: 'Linux 6', node: 'v20' }
const point = {
  seconds: 1,
  publishedPerSecond: 1_000,
  deliveriesPerSecond: 1_000_000,
  p50Us: 40,
  p99Us: 4_000,
  inFlight: 3,
  errors: 0,
  brokerCpuPercent: 90,
  brokerRssKib: 4_000
}

function resultWith(change: Partial<LoadResult>): LoadResult {
  return {
    scenario: 'pairs',
    title: '2 pairs',
    kind: 'QoS 0, 64 bytes',
    lossAllowed: false,
    command: 'load pairs',
    date: '2026-01-01T00:00:00.000Z',
    machine,
    options: { qos: 0, payloadBytes: 64 },
    measuredSeconds: 5,
    published: 10,
    deliveries: 10,
    publishedPerSecond: 2,
    deliveriesPerSecond: 2,
    latency,
    distribution: [
      [0, 1],
      [40, 9]
    ],
    integrity: {
      published: 10,
      expected: 10,
      lost: 0,
      duplicated: 0,
      reordered: 0,
      foreign: 0,
      refused: 0,
      unacknowledged: 0,
      disconnected: 0
    },
    brokers: [{ pid: 7, userUs: 1_000, systemUs: 2_000, cpuPercent: 3, rssKib: 4_000, rssKibMax: 5_000 }],
    cpuUsPerDelivery: 300,
    generator: { cpuUs: 10, busyPercent: 40, lateness: undefined, wasTheLimit: false },
    othersCpuPercent: 3,
    heldBackPercent: undefined,
    timeline: [point, { ...point, seconds: 2 }],
    errors: [],
    stalls: 0,
    ...change
  }
}

test('figures have three digits and a unit', () => {
  assert.deepEqual([5, 99.94, 1234, 9_994, 9_999, 123_456, 999_600, 12_345_678].map(count), [
    '5',
    '99.9',
    '1234',
    '9994',
    '10.0 k',
    '123 k',
    '1.00 M',
    '12.3 M'
  ])
  assert.deepEqual([0.4, 999.4, 1_234, 2_500_000].map(duration), ['0 µs', '999 µs', '1.23 ms', '2.50 s'])
  assert.deepEqual([9_999, 20_480].map(memory), ['9999 KiB', '20 MiB'])
})

test('a summary says that all is well, or what is not', () => {
  assert.match(summary(resultWith({}), false), /each once and in order/)
  const { integrity } = resultWith({})
  const faulty = resultWith({ integrity: { ...integrity, lost: 3, reordered: 1 } })
  assert.match(summary(faulty, false), /FAULTS: 3 lost, 1 reordered of 10/)
  assert.match(summary(faulty, true), /FAULTS: 1 reordered/)
  const limited = resultWith({
    generator: { cpuUs: 1, busyPercent: 99, lateness: undefined, wasTheLimit: true }
  })
  assert.match(summary(limited, false), /GENERATOR WAS THE LIMIT/)
  assert.doesNotMatch(summary(resultWith({}), false), /LIMIT|OTHER PROCESSES|BEHIND/)
  assert.match(summary(resultWith({ othersCpuPercent: 80 }), false), /OTHER PROCESSES TOOK 80 %/)
  assert.match(summary(resultWith({ heldBackPercent: 30 }), false), /THE BROKER FELL BEHIND WITH 30 %/)
})

test('on a terminal the progress line is rewritten, elsewhere each is a line', () => {
  const written: string[] = []
  const screen = (isTTY: boolean) => ({ isTTY, write: (text: string) => written.push(text) })
  consoleProgress(screen(true), false).point(point, 'measure', 6)
  consoleProgress(screen(false), false).point(point, 'warm up', 6)
  consoleProgress(screen(false), true).point(point, 'measure', 6)
  assert.equal(written.length, 2)
  assert.match(written[0]!, /^\r.*1\.00 M deliveries\/s.*[^\n]$/)
  assert.match(written[1]!, /warm up.*\n$/)
})

test('the page is whole in itself and takes nothing for markup that is text', () => {
  const page = htmlReport(resultWith({ command: 'load <script>alert(1)</script>' }), false)
  assert.doesNotMatch(page, /<script|https?:|NaN|undefined|Infinity/)
  assert.match(page, /A &#60;fast&#62; one/)
  assert.equal(page.match(/<svg/g)?.length, 5)
})

test('a page of a run that delivered nothing has no broken charts', () => {
  const page = htmlReport(resultWith({ distribution: [], timeline: [], deliveries: 0, brokers: [] }), false)
  assert.doesNotMatch(page, /<svg|NaN|Infinity/)
})

test('a chart keeps its lines inside its frame', () => {
  const series = [
    {
      name: 'a',
      points: [
        [0, 0],
        [5, 123_456],
        [10, 7]
      ] as const
    }
  ]
  for (const logarithmic of [false, true]) {
    const drawn = chart({ title: 't', series, xText: String, yText: String, yLogarithmic: logarithmic })
    const places = /points="([^"]+)"/
      .exec(drawn)![1]!
      .split(' ')
      .map(pair => pair.split(',').map(Number))
    assert.ok(places.every(([x, y]) => x! >= 0 && x! <= 100 && y! >= 0 && y! <= 100))
  }
})

test('the median of rounds is the middle one, or the mean of two', () => {
  assert.deepEqual([median([]), median([3, 1, 2]), median([4, 1, 2, 3])], [0, 2, 2.5])
})

const cell: Cell = {
  broker: 'shoal',
  figures: { deliveriesPerSecond: 1_000_000, cpuUsPerDelivery: 0.5, p50Us: 10, p99Us: 20 },
  generatorWasTheLimit: false,
  othersCpuPercent: 0,
  heldBackPercent: 0,
  faults: [],
  rounds: 3
}
const other: Cell = {
  ...cell,
  broker: 'mosquitto',
  figures: { deliveriesPerSecond: 100_000, cpuUsPerDelivery: 2, p50Us: 5 },
  faults: ['3 lost <b>']
}
const comparison: Comparison = {
  date: '2026-01-01',
  machine,
  command: 'load compare',
  versions: { shoal: '1', mosquitto: '2' },
  pinnedToCores: true,
  rounds: 3,
  rows: [
    {
      name: 'pairs',
      title: '200 pairs',
      by: ['cpuUsPerDelivery', 'deliveriesPerSecond'],
      cells: [cell, other]
    }
  ]
}

test('a comparison says how much better the first broker is, whichever way is better', () => {
  const text = comparisonMarkdown(comparison)
  assert.match(text, /\| 200 pairs \| CPU-µs per delivery \| 0.500 \| 2.00 \(4.0 ×\) \|/)
  assert.match(text, /\| 200 pairs \| deliveries\/s \| 1.00 M \| 100 k \(10 ×\) \|/)
  assert.match(text, /\| mosquitto \| 2.00 \| 100 k \| 5 µs \| - \| 3 lost <b> \|/)
})

test('the page of a comparison is whole in itself and has a bar for each broker and figure', () => {
  const text = comparisonPage(comparison)
  assert.doesNotMatch(text, /<script|https?:|NaN|undefined|Infinity|<b>/)
  assert.equal(text.match(/class="bar"/g)?.length, 4)
  const empty = { ...cell, figures: {} }
  const failed = { ...comparison, rows: [{ ...comparison.rows[0]!, cells: [empty, empty] }] }
  assert.doesNotMatch(comparisonPage(failed) + comparisonMarkdown(failed), /NaN|undefined|Infinity/)
})

test('rounds that others disturbed count only where there is no other, and a failure is a fault', () => {
  const { figures: _, rounds: __, broker: ___, ...rest } = cell
  const run = (p50Us: number, othersCpuPercent: number) => ({ ...rest, figures: { p50Us }, othersCpuPercent })
  const quiet = cellOf('shoal', [run(1, 3), run(900, 80), run(3, 5), { failure: 'no port' }])
  assert.deepEqual([quiet.figures, quiet.rounds, quiet.faults], [{ p50Us: 2 }, 2, ['no port']])
  const loud = cellOf('shoal', [run(700, 60), run(900, 80)])
  assert.deepEqual([loud.figures, loud.rounds, loud.othersCpuPercent], [{ p50Us: 800 }, 2, 70])
})
