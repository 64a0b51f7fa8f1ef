import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { faultsOf } from '../../../load/integrity.ts'
import { checkOptions, parseCommandLine } from '../../../load/options.ts'
import { run } from '../../../load/run.ts'
import { readLetters, readTimeLetters, writeLetters, writeTimeLetters } from '../../../load/stamp.ts'
import { FakeWebGateway, type WebFaults } from '../fake-web-gateway.ts'

async function shortRun(faults: WebFaults, ...args: string[]) {
  const gateway = await FakeWebGateway.start(faults)
  try {
    const quick = [
      '--url',
      gateway.url,
      '--duration',
      '0.2',
      '--warm-up',
      '0',
      '--drain',
      '0.5',
      '--window',
      '8'
    ]
    const few = ['--publishers', '2', '--subscribers', '3']
    const options = checkOptions(parseCommandLine([...quick, ...few, ...args]).raw)
    const result = await run('websocket', options, { phase() {}, point() {} })
    return { result, gateway }
  } finally {
    await gateway.close()
  }
}

for (const args of [
  ['--qos', '0'],
  ['--qos', '1'],
  ['--topics', '12', '--payload', '300']
]) {
  test(`the browser protocol, ${args.join(' ')}: every message is accounted for`, async () => {
    const { result, gateway } = await shortRun({}, ...args)
    assert.deepEqual(faultsOf(result.integrity, false), [])
    assert.ok(result.deliveries > 0)
    assert.ok(gateway.pongs > 0)
  })
}

test('frames and lines cut anywhere are put together again', async () => {
  const { result } = await shortRun({ pieceBytes: 11 }, '--qos', '1')
  assert.deepEqual(faultsOf(result.integrity, false), [])
  assert.ok(result.deliveries > 0)
})

test('a message that a browser did not get is lost', async () => {
  const { result } = await shortRun({ drop: index => index === 4 })
  assert.deepEqual(faultsOf(result.integrity, false), ['1 lost'])
})

test('a refused upgrade and a refused subscription stop the run', async () => {
  await assert.rejects(shortRun({ refuse: true }), /503/)
  await assert.rejects(shortRun({ forbid: true }), /NOT_AUTHORISED/)
})

test('a payload too small for its stamp is refused', () => {
  const check = (url: string) => checkOptions(parseCommandLine(['--url', url, '--payload', '20']).raw)
  assert.equal(check('mqtt://h').stamp, 'binary')
  assert.throws(() => check('ws://h'), /--payload/)
})

test('numbers survive their letters', () => {
  const bytes = new Uint8Array(16)
  fc.assert(
    fc.property(fc.nat(2 ** 32 - 1), fc.maxSafeNat(), (number, time) => {
      writeLetters(bytes, 0, number)
      assert.equal(readLetters(bytes, 0), number)
      writeTimeLetters(bytes, 0, time)
      assert.equal(readTimeLetters(bytes, 0), time)
      assert.match(Buffer.from(bytes).toString(), /^[a-p]{16}$/)
    })
  )
})
