// `shoal help` and `shoal --version`: what the program says of itself.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { environmentNameOf, flagOf } from '../../../broker/options/index.ts'
import { COMMANDS, outlivesOutput, run } from '../../../gateway/cli/program.ts'
import { repositoryRoot } from '../../support/root.ts'

async function said(...argv: string[]): Promise<{ code: number; out: string[]; errors: string[] }> {
  const out: string[] = []
  const errors: string[] = []
  const code = await run(argv, {
    out: line => out.push(...line.split('\n')),
    outBytes: bytes => out.push(Buffer.from(bytes).toString()),
    error: line => errors.push(line),
    environment: {}
  })
  return { code, out, errors }
}

const shown = COMMANDS.filter(({ hidden }) => !hidden)

test('without a command, and by help, it lists its commands', async () => {
  const { code, out } = await said()
  assert.equal(code, 0)
  for (const { name } of shown)
    assert.ok(
      out.some(line => line.startsWith(`  ${name} `)),
      name
    )
  assert.ok(!out.join().includes('cluster-node'))
  for (const argv of [['help'], ['--help'], ['-h']]) assert.deepEqual((await said(...argv)).out, out)
})

test('the help of a command has its usage and every option, on lines that fit a terminal', async () => {
  for (const command of shown) {
    const { code, out } = await said('help', command.name)
    assert.equal(code, 0)
    assert.match(out[0] ?? '', new RegExp(`^Usage: shoal ${command.name}`))
    for (const [name, option] of Object.entries(command.options)) {
      const written = option.secret === true ? environmentNameOf(name) : `--${flagOf(name)}`
      assert.ok(
        out.some(line => line.trim().split(', ').includes(written)),
        name
      )
    }
    for (const line of out) assert.ok(line.length <= 100, line)
    assert.deepEqual((await said(command.name, '--help')).out, out)
  }
})

test('the help of start names the variables, and that of other commands does not', async () => {
  assert.ok((await said('help', 'start')).out.join('\n').includes('SHOAL_MQTT_PORT'))
  assert.ok(!(await said('help', 'pub')).out.join('\n').includes('SHOAL_'))
})

test('the version is that of the package', async () => {
  const manifest = JSON.parse(readFileSync(join(repositoryRoot(), 'package.json'), 'utf8')) as {
    version: string
  }
  assert.deepEqual((await said('--version')).out, [manifest.version])
})

test('help for a command that is not there is refused', async () => {
  const { code, errors } = await said('help', 'ownr')
  assert.equal(code, 2)
  assert.match(errors[0] ?? '', /^shoal: There is no command "ownr"\. Did you mean owner\?/)
})

test('servers outlive their output, and other commands end with it', () => {
  assert.deepEqual(
    shown.filter(({ name }) => outlivesOutput([name])).map(({ name }) => name),
    ['start', 'cluster']
  )
  assert.equal(outlivesOutput([]), false)
})
