import assert from 'node:assert/strict'
import { test } from 'node:test'
import { faultsOf } from '../../load/integrity.ts'
import { checkOptions, parseCommandLine } from '../../load/options.ts'
import { layOut, type ScenarioName } from '../../load/plan.ts'
import { type Progress, run } from '../../load/run.ts'
import { FakeBroker, type Faults } from './fake-broker.ts'

const silent: Progress = { phase() {}, point() {} }

/** A short run against a broker with `faults`. */
async function shortRun(scenario: ScenarioName, faults: Faults, ...args: string[]) {
  const broker = await FakeBroker.start(faults)
  try {
    const quick = [
      '--url',
      broker.url,
      '--duration',
      '0.2',
      '--warm-up',
      '0',
      '--drain',
      '0.5',
      '--window',
      '16'
    ]
    const few = ['--pairs', '3', '--publishers', '3', '--subscribers', '3']
    const options = checkOptions(parseCommandLine([...quick, ...few, ...args]).raw)
    return { result: await run(scenario, options, silent), broker }
  } finally {
    await broker.close()
  }
}

for (const scenario of ['pairs', 'fan-out', 'fan-in', 'wildcard'] as const) {
  for (const args of [
    ['--qos', '0'],
    ['--qos', '1'],
    ['--qos', '1', '--protocol', '5', '--topics', '3'],
    ['--qos', '2'],
    ['--qos', '2', '--protocol', '5', '--topics', '3']
  ]) {
    test(`${scenario} ${args.join(' ')}: every message of a sound broker is accounted for`, async () => {
      const { result } = await shortRun(scenario, {}, ...args)
      assert.deepEqual(faultsOf(result.integrity, false), [])
      assert.ok(result.integrity.expected > 0)
      assert.ok(result.deliveries > 0 && result.deliveries <= result.integrity.expected)
      assert.equal(result.latency.count, result.deliveries)
    })
  }
}

test('packets cut anywhere are put together again', async () => {
  const { result } = await shortRun(
    'wildcard',
    { pieceBytes: 7 },
    '--qos',
    '1',
    '--protocol',
    '5',
    '--payload',
    '200'
  )
  assert.deepEqual(faultsOf(result.integrity, false), [])
  assert.ok(result.deliveries > 0)
})

test('payloads larger than a read arrive', async () => {
  const { result } = await shortRun('fan-out', {}, '--payload', '300000', '--window', '2')
  assert.deepEqual(faultsOf(result.integrity, false), [])
  assert.ok(result.deliveries > 0)
})

test('a lost message is counted and fails the run, unless loss is allowed', async () => {
  const { result } = await shortRun('pairs', { drop: index => index === 5 })
  assert.equal(result.integrity.lost, 1)
  assert.deepEqual(faultsOf(result.integrity, false), ['1 lost'])
  assert.deepEqual(faultsOf(result.integrity, true), [])
})

test('a duplicated message fails the run', async () => {
  const { result } = await shortRun('pairs', { duplicate: index => index === 7 })
  assert.deepEqual(faultsOf(result.integrity, false), ['1 duplicated'])
})

test('a message that another one overtook fails the run', async () => {
  const { result } = await shortRun('pairs', { delay: index => index === 3 }, '--pairs', '1')
  assert.deepEqual(faultsOf(result.integrity, false), ['1 reordered'])
})

test('a message that the broker refused fails the run', async () => {
  const { result } = await shortRun('pairs', { publishReason: 0x87 }, '--qos', '1', '--protocol', '5')
  assert.equal(result.integrity.refused, result.integrity.published)
})

test('at QoS 2 a refusal ends the exchange, and one that does not end fails the run', async () => {
  const { result } = await shortRun('pairs', { publishReason: 0x97 }, '--qos', '2', '--protocol', '5')
  assert.equal(result.integrity.refused, result.integrity.published)
  const endless = await shortRun('pairs', { endless: true }, '--qos', '2')
  assert.equal(endless.result.integrity.unacknowledged, endless.result.integrity.published)
})

test('deliveries of QoS 1 and 2 are answered, each once', async () => {
  for (const qos of ['1', '2']) {
    const { result, broker } = await shortRun('fan-out', {}, '--qos', qos)
    // The last answers may still be on their way when all has arrived.
    assert.ok(broker.acknowledged > 0 && broker.acknowledged <= result.integrity.expected)
  }
})

test('a connection that the broker closes is named, and what it did not get is lost', async () => {
  const { result } = await shortRun('pairs', { hangUpAt: 10 })
  assert.equal(result.integrity.disconnected, 1)
  assert.equal(result.errors.length, 1)
  assert.ok(result.integrity.lost > 0)
})

test('a refused connection stops the run with the broker’s code', async () => {
  await assert.rejects(shortRun('pairs', { connectCode: 5 }), /code 5/)
})

test('deliveries from one thread to another open the window there', async () => {
  const { result } = await shortRun('fan-in', {}, '--threads', '3', '--window', '2')
  assert.deepEqual(faultsOf(result.integrity, false), [])
  assert.ok(result.published > 6, `published ${result.published}`)
})

test('in open loop no message leaves before it is due, and how late each left is known', async () => {
  const { result } = await shortRun('pairs', {}, '--rate', '500', '--duration', '0.4')
  assert.deepEqual(faultsOf(result.integrity, false), [])
  assert.ok(result.published > 0 && result.published <= 500 * result.measuredSeconds + 10)
  assert.ok(result.generator.lateness!.count > 0)
})

test('what waits for the broker is the broker’s delay, not the generator’s', async () => {
  const { result } = await shortRun('pairs', { drop: index => index > 20 }, '--rate', '1000', '--window', '2')
  assert.ok(result.heldBackPercent! > 50, `${result.heldBackPercent} %`)
  const sound = await shortRun('pairs', {})
  assert.equal(sound.result.heldBackPercent, undefined)
})

test('the run’s plan reaches every stream by the filters it names', () => {
  const options = checkOptions(
    parseCommandLine(['--topics', '2', '--publishers', '4', '--subscribers', '5']).raw
  )
  const plan = layOut('wildcard', options, 'id')
  assert.equal(plan.streams, 8)
  assert.equal(new Set(plan.clients.map(client => client.clientId)).size, plan.clients.length)
  assert.ok(plan.clients.every(({ subscribe }) => !subscribe || subscribe.streams === 8))
})

test('an option out of bounds is refused with its name, its value and what is allowed', () => {
  const check =
    (...args: string[]) =>
    () =>
      checkOptions(parseCommandLine(args).raw)
  assert.throws(check('--payload', '3'), /--payload.*3.*from 16/)
  assert.throws(check('--qos', '7'), /--qos/)
  assert.throws(check('--qos', '2', '--url', 'ws://x'), /--qos.*only MQTT/)
  assert.throws(check('--url', 'http://x'), /--url.*mqtt/)
  assert.throws(check('--window', ''), /--window/)
  assert.throws(check('--windo', '3'), { code: 'OPTION_INVALID' })
})
