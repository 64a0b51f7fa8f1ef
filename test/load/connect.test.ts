import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connectRun } from '../../load/connect/connect.ts'
import { connectPage } from '../../load/connect/page.ts'
import { connectProgress, connectSummary } from '../../load/connect/summary.ts'
import { checkOptions, parseCommandLine } from '../../load/options.ts'
import { screenLines } from '../../load/report/console.ts'
import { FakeBroker, type Faults } from './fake-broker.ts'

async function connectTo(faults: Faults, ...args: string[]) {
  const brokers = [await FakeBroker.start(faults), await FakeBroker.start(faults)]
  try {
    const urls = brokers.flatMap(({ url }) => ['--url', url])
    const options = checkOptions(parseCommandLine([...urls, '--hold', '0', ...args]).raw)
    const result = await connectRun(options, () => {})
    return { result, connects: brokers.map(({ connects }) => connects) }
  } finally {
    await Promise.all(brokers.map(broker => broker.close()))
  }
}

test('all connections are opened over several threads, and each is timed', async () => {
  const { result } = await connectTo({}, '--connections', '31', '--threads', '2')
  assert.equal(result.connectLatency.count, 31)
  assert.equal(result.lost, 0)
  assert.ok(result.connectsPerSecond > 0)
})

test('several addresses have the same number of connections each, however many threads there are', async () => {
  const { connects } = await connectTo({}, '--connections', '20', '--threads', '2')
  assert.deepEqual(connects, [10, 10])
})

test('churn closes and reopens without losing one', async () => {
  const { result } = await connectTo({}, '--connections', '5', '--churn', '0.3')
  assert.ok(result.churnedPerSecond! > 0)
  assert.equal(result.lost, 0)
})

test('no more connections are opened in a second than the ramp says', async () => {
  const { result } = await connectTo({}, '--connections', '20', '--ramp', '50')
  assert.ok(result.connectsPerSecond <= 60, `${result.connectsPerSecond}/s`)
})

test('a connection that ends by itself is counted and named, in the summary and on the page', async () => {
  const { result } = await connectTo({ hangUpAfterMs: 50 }, '--connections', '3', '--hold', '0.3')
  assert.equal(result.lost, 3)
  assert.match(connectSummary(result), /FAULTS: 3 connections ended by themselves\n {2}error/)
  assert.match(connectPage(result), /3 connections ended by themselves/)
})

test('the page is whole in itself, with and without the broker’s processes', async () => {
  const { result } = await connectTo({}, '--connections', '3', '--hold', '0.3')
  const watched = { ...result, cpuUsPerConnect: 50, kibPerConnection: 3.25, idleCpuPercent: 0.1 }
  for (const page of [
    connectPage(result),
    connectPage({ ...watched, cpuUsPerChurn: 9, churnedPerSecond: 3 })
  ]) {
    assert.doesNotMatch(page, /<script|https?:|NaN|undefined|Infinity/)
    assert.match(page, /No connection ended by itself/)
  }
  assert.equal(connectPage(watched).match(/<svg/g)?.length, 4)
})

test('progress is a line each second, on a terminal a line that is rewritten', () => {
  const point = { seconds: 0.3, connectsPerSecond: 9, connected: 3, brokerCpuPercent: 0, brokerRssKib: 0 }
  const written: string[] = []
  for (const isTTY of [false, true]) {
    const screen = { isTTY, write: (text: string) => written.push(text) }
    const tell = connectProgress(screenLines(screen, false), screen, 10)
    tell(point, 'ramp')
    tell({ ...point, seconds: 0.5 }, 'ramp')
  }
  assert.equal(written.length, 3)
  assert.match(written[0]!, /3 of 10.*\n$/)
})

test('a refused connection stops the run', async () => {
  await assert.rejects(connectTo({ connectCode: 5 }, '--connections', '3'), /code 5/)
})
