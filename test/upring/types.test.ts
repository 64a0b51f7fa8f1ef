// The published types: programs compile against them as they should, and not where they should not. `any` is nowhere.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { repositoryRoot } from '../support/root.ts'

/** Where this very build has put its declarations. */
const declarations = fileURLToPath(new URL('../../broker/', import.meta.url))
const root = repositoryRoot()

const EXAMPLE = `
import { createWriteStream } from 'node:fs'
import { type Plugin, type ReceivedStreams, type Upring, RequestError, upring } from 'shoal'

interface Put { key: string; value: number }
interface Stored { version: number }

const ring = upring({ base: '127.0.0.1:7979', hashring: { joinTimeout: 200, local: { meta: { zone: 'b' } } } })

// As in upring's own README.
ring.request({ key: 'some data', streams: { in: createWriteStream('out') } }, err => {
  if (err) throw err
})
ring.add({ cmd: 'parse' }, (req, reply) => {
  reply(null, { a: 'response', echo: req['value'] })
})
ring.add('parse', async (req, reply) => {
  return { data: req.key }
})
ring.peerConn(ring.peers()[0]!).request({ hello: 'world' }, console.log)
ring.use((instance, opts, next) => {
  instance.add('x', async () => ({}))
  next()
}, { some: 'option' })
ring.track('key', { replica: true }).on('move', peer => console.log(peer?.id)).on('replica', (now, before) => {
  console.log(now.id, before?.meta.upring.port)
})

// With types of one's own.
ring.add<Put, Stored>('ns:kv,cmd:put', async ({ key, value }) => {
  const text: string = key
  const double: number = value * 2
  return { version: text.length + double }
})
async function put(): Promise<number> {
  const { version } = await ring.request<Stored>({ ns: 'kv', cmd: 'put', key: 'a', value: 1 })
  const typed: Put = { key: 'a', value: 1 }
  const again = await ring.requestp<Stored, Put>(typed, { timeoutMs: 100 })
  const { streams } = await ring.request<{ streams: ReceivedStreams }>({ key: 'a', cmd: 'read' })
  streams['out']?.pipe(process.stdout)
  return version + again.version
}
ring.on('request', (req, reply) => reply(null, { hello: req['hello'] }))
ring.on('steal', ({ start, end, from }) => console.log(start < end, from?.id))
ring.on('error', error => {
  if (error instanceof RequestError) console.log(error.code, error.reply)
})

interface Size { size: number }
const plugin: Plugin<Size> = async (instance: Upring, { size }) => {
  instance.onClose(async () => { await put() })
  console.log(size.toFixed())
}
ring.use(plugin, { size: 10 })

// @ts-expect-error a key is wanted
void ring.request({ cmd: 'put' })
// @ts-expect-error a handler answers with what it promises
ring.add<Put, Stored>('put', async () => ({ version: 'one' }))
// @ts-expect-error nor may it reply with anything else
ring.add<Put, Stored>('put', (_put, reply) => reply(null, 7))
// @ts-expect-error there is no such event
ring.on('moved', () => {})
// @ts-expect-error events have the arguments they have
ring.on('peerUp', (peer: number) => peer)
// @ts-expect-error options of the plugin
ring.use(plugin, { size: 'big' })
// @ts-expect-error what came is looked at before it is used
ring.add('x', async req => req['value'].length)
`

const CONFIG = {
  compilerOptions: {
    target: 'es2023',
    module: 'nodenext',
    moduleResolution: 'nodenext',
    types: ['node'],
    strict: true,
    noUncheckedIndexedAccess: true,
    noPropertyAccessFromIndexSignature: true,
    noEmit: true,
    skipLibCheck: true,
    paths: { shoal: [join(declarations, 'index.d.ts')] }
  },
  include: ['example.ts']
}

test('examples compile against the published types', t => {
  const folder = mkdtempSync(join(tmpdir(), 'shoal-types-'))
  t.after(() => rmSync(folder, { recursive: true }))
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(CONFIG))
  writeFileSync(join(folder, 'example.ts'), EXAMPLE)
  const tsc = join(root, 'node_modules', '.bin', 'tsc')
  const { stdout, stderr, status } = spawnSync(tsc, ['-p', folder], { encoding: 'utf8' })
  assert.equal(status, 0, stdout + stderr)
})

test('no published type is any', () => {
  const files = [
    'upring.d.ts',
    ...readdirSync(join(declarations, 'upring')).map(name => join('upring', name))
  ]
  for (const file of [...files, join('ring', 'tracker.d.ts')]) {
    if (!file.endsWith('.d.ts')) continue
    const text = readFileSync(join(declarations, file), 'utf8')
    const code = text.replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '')
    assert.doesNotMatch(code, /\bany\b/, file)
  }
})
