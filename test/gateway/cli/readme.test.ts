// The README does what it says: its table is the options' table, its commands run, its programs too.
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { readArguments } from '../../../gateway/cli/arguments.ts'
import { isRecord } from '../../../gateway/cli/http.ts'
import { loadConfig } from '../../../gateway/cli/option-file.ts'
import { COMMANDS } from '../../../gateway/cli/program.ts'
import { markdownReference } from '../../../gateway/cli/reference.ts'
import { start } from '../../../gateway/cli/start.ts'
import { startNode, startProgram } from '../../support/process.ts'
import { repositoryRoot } from '../../support/root.ts'
import { requireTool } from '../../support/tools.ts'
import { run, type Started, shoal, startShoal } from './shoal.ts'

const root = repositoryRoot()
const readme = readFileSync(join(root, 'README.md'), 'utf8')
const manifest: unknown = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
/** Of this build: the folder that has `gateway/main.js`. */
const built = fileURLToPath(new URL('../../../', import.meta.url))

function blocks(language: string): string[] {
  return [...readme.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\`$`, 'gms'))].map(
    ([, text = '']) => text
  )
}

/** The command lines of the README that begin so, in words as a shell would make them. */
function commands(beginning: string): string[][] {
  const lines = blocks('sh').flatMap(block => block.split('\n'))
  return lines.filter(line => line.startsWith(`${beginning} `)).map(words)
}

function words(line: string): string[] {
  const parts = line.replace(/\s+#.*$/, '').match(/(?:'[^']*'|[^\s'])+/g) ?? []
  return parts.map(part => part.replaceAll("'", ''))
}

/** The same with the ports of a started node. */
function at(node: Started, text: string): string {
  return text
    .replaceAll('http://localhost:8080', node.http)
    .replaceAll('ws://localhost:8080', node.http.replace('http', 'ws'))
}

test('the table of options is the one that the options make', () => {
  const [, table] = /<!-- options:.*?-->\n(.*?)<!-- \/options -->/s.exec(readme) ?? []
  assert.equal(table, markdownReference(start.options))
})

test('every npm script that the README and CONTRIBUTING name is there', () => {
  const contributing = readFileSync(join(root, 'CONTRIBUTING.md'), 'utf8')
  const scripts = isRecord(manifest) ? manifest['scripts'] : undefined
  assert.ok(isRecord(scripts))
  const named = [...`${readme}${contributing}`.matchAll(/npm (?:run )?([a-z]+)/g)].map(
    ([, name = '']) => name
  )
  assert.ok(named.includes('start') && named.includes('cluster') && named.includes('test'))
  for (const name of named) assert.ok(name === 'ci' || name in scripts, `npm run ${name}`)
})

test('every file that the README links to is there', () => {
  for (const [, path = ''] of readme.matchAll(/\]\(([^)#:]+)\)/g))
    assert.ok(existsSync(join(root, path)), path)
})

test('every shoal command of the README is understood', () => {
  const all = commands('npx shoal')
  assert.ok(all.length >= 8)
  for (const [, , name, ...rest] of all) {
    const command = COMMANDS.find(one => one.name === name)
    assert.ok(command, name)
    const given = readArguments(command, rest)
    if (command === start) loadConfig(given.flags, {})
  }
})

test('the first messages of the README go through, by shoal and by curl', async t => {
  if (!requireTool(t, 'curl')) return
  const node = await startShoal(t, '--log-level', 'debug')
  const [, , ...sub] = commands('npx shoal').find(([, , name]) => name === 'sub') ?? []
  const printed = shoal(t, [...sub, '--url', node.mqtt])
  await subscribed(t, node)
  for (const [, , ...pub] of commands('npx shoal').filter(([, , name]) => name === 'pub')) {
    assert.equal((await run(t, ...pub, '--url', node.mqtt)).code, 0)
  }
  await printed.line(/^hello\/world hi$/)
  for (const [, ...args] of commands('curl')) {
    const curl = startProgram(
      t,
      'curl',
      ['--silent', '--fail-with-body', ...args.map(arg => at(node, arg))],
      { cwd: root }
    )
    assert.equal(await curl.exit(), 0, curl.output)
  }
  await printed.line(/^hello\/world \{"temperature":21\.5\}$/)
  await printed.line(/^ {2}"name": "shoal",$/)
  const [, , ...owner] = commands('npx shoal').find(([, , name]) => name === 'owner') ?? []
  assert.deepEqual((await run(t, ...owner, '--url', node.http)).out, [node.cluster])
})

test('the first messages of the README go through, by mosquitto_sub and mosquitto_pub', async t => {
  if (!requireTool(t, 'mosquitto_sub') || !requireTool(t, 'mosquitto_pub')) return
  const node = await startShoal(t, '--log-level', 'debug')
  const port = ['-p', new URL(node.mqtt).port]
  const [[, ...sub] = []] = commands('mosquitto_sub')
  const [[, ...pub] = []] = commands('mosquitto_pub')
  const printed = startProgram(t, 'mosquitto_sub', [...sub, ...port])
  await subscribed(t, node)
  assert.equal(await startProgram(t, 'mosquitto_pub', [...pub, ...port]).exit(), 0)
  await printed.line(/^hello\/world hi$/)
})

test('the programs of the README run as they stand', async t => {
  const node = await startShoal(t)
  const [client = '', embedded = ''] = blocks('js')
  const folder = packageFolder(t)
  // Node 20 has no WebSocket: the README says to give one.
  const webSocket = `import WebSocket from 'ws'\nglobalThis.WebSocket ??= WebSocket\n`
  writeFileSync(join(folder, 'client.mjs'), webSocket + at(node, client))
  const browserLike = startNode(t, join(folder, 'client.mjs'))
  await browserLike.line(/^hello\/world \{"any":"JSON"\}$/)
  writeFileSync(join(folder, 'embedded.mjs'), embedded)
  const program = startNode(t, join(folder, 'embedded.mjs'))
  await program.line(/^hello\/world hi$/)
  assert.equal(await program.exit(), 0)
})

/** Waits until the one client of the node has its subscription. */
async function subscribed(t: TestContext, node: Started): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const { out } = await run(t, 'status', '--url', node.http)
    if (out.some(line => line.startsWith('1 client, 1 subscription'))) return
  }
  assert.fail('no subscription')
}

/** A folder with this build as the package shoal, and what it depends on. */
function packageFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'shoal-readme-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const modules = join(dirname(fileURLToPath(import.meta.resolve('yaml/package.json'))), '..')
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'shoal', exports: exportsHere() }))
  symlinkSync(modules, join(folder, 'node_modules'))
  symlinkSync(built, join(folder, 'dist'))
  return folder
}

function exportsHere(): unknown {
  return isRecord(manifest) ? manifest['exports'] : undefined
}
