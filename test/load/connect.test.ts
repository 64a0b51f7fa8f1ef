import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connectRun } from '../../load/connect/connect.ts'
import { checkOptions, parseCommandLine } from '../../load/options.ts'
import { FakeBroker, type Faults } from './fake-broker.ts'

async function connectTo(faults: Faults, ...args: string[]) {
  const broker = await FakeBroker.start(faults)
  try {
    const options = checkOptions(parseCommandLine(['--url', broker.url, '--hold', '0', ...args]).raw)
    return await connectRun(options, () => {})
  } finally {
    await broker.close()
  }
}

test('all connections are opened over several threads, and each is timed', async () => {
  const result = await connectTo({}, '--connections', '31', '--threads', '2')
  assert.equal(result.connectLatency.count, 31)
  assert.equal(result.lost, 0)
  assert.ok(result.connectsPerSecond > 0)
})

test('churn closes and reopens without losing one', async () => {
  const result = await connectTo({}, '--connections', '5', '--churn', '0.2')
  assert.ok(result.churnedPerSecond! > 0)
  assert.equal(result.lost, 0)
})

test('a refused connection stops the run', async () => {
  await assert.rejects(connectTo({ connectCode: 5 }, '--connections', '3'), /code 5/)
})
