// The exit code of every scenario: 0 for a sound broker, 1 for one that loses, doubles or misplaces a message, 2 for a
// wrong command, 3 for a run that could not be.
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { freePort } from '../../load/compare/started.ts'
import { main } from '../../load/main.ts'
import type { LoadResult } from '../../load/result.ts'
import { FakeBroker, type Faults } from './fake-broker.ts'
import { FakeWebGateway } from './fake-web-gateway.ts'

const QUICK = ['--duration', '0.2', '--warm-up', '0', '--drain', '0.3', '--window', '8', '--quiet']
const FEW = ['--publishers', '1', '--subscribers', '2', '--pairs', '2']

let folder: string
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'load-main-'))
})
after(() => rmSync(folder, { recursive: true }))

async function load(...args: string[]): Promise<{ code: number; text: string; error: string }> {
  let text = ''
  let error = ''
  const keep = (add: (part: string) => void) => ({ write: add })
  const code = await main(
    args,
    keep(part => {
      text += part
    }),
    keep(part => {
      error += part
    })
  )
  return { code, text, error }
}

async function loadAgainst(faults: Faults, ...args: string[]) {
  const broker = await FakeBroker.start(faults)
  try {
    return await load(...args, '--url', broker.url, ...QUICK)
  } finally {
    await broker.close()
  }
}

const MIXTURE = `
groups:
  one: { publishers: 1, rate: 100, subscribers: [{ count: 2 }] }
  two: { publishers: 1, qos: 1, subscribers: [{ filter: own }] }
`

function commandOf(scenario: string): string[] {
  if (scenario !== 'mixed') return [scenario, ...FEW]
  const file = join(folder, 'mixture.yaml')
  writeFileSync(file, MIXTURE)
  return [scenario, file]
}

const FAULTS: Readonly<Record<string, { faults: Faults; says: RegExp }>> = {
  loses: { faults: { drop: index => index === 3 }, says: /FAULTS: 1 lost/ },
  doubles: { faults: { duplicate: index => index === 3 }, says: /FAULTS: 1 duplicated/ },
  misplaces: { faults: { delay: index => index === 3 }, says: /FAULTS: .*(1 reordered|1 lost)/ }
}

for (const scenario of ['pairs', 'fan-out', 'fan-in', 'wildcard', 'mixed']) {
  test(`${scenario} ends with 0 when every message came, and with 1 when the broker loses, doubles or misplaces one`, async () => {
    const sound = await loadAgainst({}, ...commandOf(scenario))
    assert.deepEqual([sound.code, sound.error], [0, ''], sound.text)
    assert.match(sound.text, /each once and in order/)
    for (const [name, { faults, says }] of Object.entries(FAULTS)) {
      const { code, text } = await loadAgainst(faults, ...commandOf(scenario))
      assert.equal(code, 1, `${name}: ${text}`)
      assert.match(text, says, name)
    }
  })
}

test('websocket ends with 1 when a page misses a message', async () => {
  for (const [drop, expected] of [
    [() => false, 0],
    [(index: number) => index === 4, 1]
  ] as const) {
    const gateway = await FakeWebGateway.start({ drop })
    const { code, text } = await load('websocket', '--url', gateway.url, ...FEW, ...QUICK)
    await gateway.close()
    assert.equal(code, expected, text)
  }
})

test('connect ends with 1 when a connection ends by itself', async () => {
  const few = ['connect', '--connections', '4', '--hold', '0.2']
  assert.equal((await loadAgainst({}, ...few)).code, 0)
  assert.equal((await loadAgainst({ hangUpAfterMs: 20 }, ...few)).code, 1)
})

test('a lost message is no failure when loss is allowed, and is one at QoS 1 all the same', async () => {
  const lossy = { drop: (index: number) => index === 3 }
  assert.equal((await loadAgainst(lossy, ...commandOf('pairs'), '--allow-loss')).code, 0)
  assert.equal((await loadAgainst(lossy, ...commandOf('pairs'), '--allow-loss', '--qos', '1')).code, 1)
})

test('a wrong command ends with 2 and says what is allowed, before anything opens', async () => {
  for (const [args, says] of [
    [[], /^$/],
    [['pears'], /pears.*pairs/],
    [['pairs', '--qos', '3'], /--qos/],
    [['pairs', '--no-such'], /no-such/],
    [['pairs', 'more'], /one word too many/],
    [['mixed'], /takes a file/],
    [['mixed', '/nowhere.yaml'], /ENOENT/],
    [['compare', '--brokers', 'pigeon'], /pigeon.*shoal/],
    [['compare', '--brokers', 'shoal', '--rows', 'pears'], /pears.*pairs/],
    [['compare', '--rounds', '0'], /--rounds/]
  ] as const) {
    const { code, error } = await load(...args)
    assert.equal(code, 2, args.join(' '))
    assert.match(error, says, args.join(' '))
  }
})

test('the help tells of every scenario and ends with 0', async () => {
  const { code, text } = await load('--help')
  assert.equal(code, 0)
  const scenarios = ['connect', 'fan-out', 'fan-in', 'pairs', 'wildcard', 'websocket', 'http', 'mixed']
  for (const name of [...scenarios, 'soak', 'gc', 'compare'])
    assert.match(text, new RegExp(`^ {2}${name} `, 'm'))
})

test('a broker that is not there, lets nobody in or does not answer is a run that could not be: 3', async () => {
  const nowhere = await load('pairs', '--url', `mqtt://127.0.0.1:${await freePort()}`, ...QUICK)
  assert.equal(nowhere.code, 3)
  assert.match(nowhere.error, /ECONNREFUSED/)
  const refused = await loadAgainst({ connectCode: 5 }, ...commandOf('pairs'))
  assert.equal(refused.code, 3)
  assert.match(refused.error, /code 5/)
  const rude = createServer(socket => socket.destroy())
  await new Promise<void>(resolve => rude.listen(0, '127.0.0.1', resolve))
  const { port } = rude.address() as { port: number }
  assert.equal((await load('connect', '--url', `mqtt://127.0.0.1:${port}`, ...QUICK)).code, 3)
  rude.close()
})

test('a result is written as JSON and as a page, and what it prints says the same', async () => {
  const [json, html] = [join(folder, 'result.json'), join(folder, 'result.html')]
  const { text } = await loadAgainst({}, ...commandOf('pairs'), '--json', json, '--html', html)
  const result = JSON.parse(readFileSync(json, 'utf8')) as LoadResult
  assert.equal(result.scenario, 'pairs')
  assert.match(text, new RegExp(`^pairs: ${result.title}`, 'm'))
  assert.match(readFileSync(html, 'utf8'), /each arrived once and in order/)
})
