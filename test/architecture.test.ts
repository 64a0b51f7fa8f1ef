// What DESIGN calls open to no one: who may import whom, where time, chance and sockets come from, how large a
// file may be. The rules are tables; a failure says the file, the rule, and what to do.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ERRORS } from '../broker/errors.ts'
import { repositoryRoot } from './support/root.ts'
import { parseSource, readSources, type Source } from './support/source.ts'

/** Layers of broker/: each imports from those before it, and from itself. A folder, or the files of the root. */
const LAYERS: readonly { name: string; files?: readonly string[] }[] = [
  { name: 'foundation', files: ['errors.ts', 'cluster-keys.ts', 'message.ts', 'run.ts'] },
  { name: 'options' },
  { name: 'config', files: ['config.ts'] },
  { name: 'runtime' },
  { name: 'swim' },
  { name: 'ring' },
  { name: 'link' },
  { name: 'tentacoli' },
  { name: 'cluster', files: ['cluster.ts'] },
  { name: 'upring' },
  { name: 'hashring' },
  { name: 'upring.ts', files: ['upring.ts'] },
  { name: 'topics' },
  { name: 'sessions' },
  { name: 'store' },
  { name: 'router' },
  { name: 'broker', files: ['broker-ground.ts', 'broker-node.ts', 'broker.ts', 'index.ts'] },
  { name: 'plugins' }
]

/** What files of a top-level folder may import from others: whole folders, or single files. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  broker: [],
  'client-js': [],
  gateway: ['broker/', 'client-js/wire.ts'],
  load: ['broker/', 'gateway/', 'client-js/']
}

/** The one file of broker/ that touches the world. */
const WORLD = 'broker/runtime/node.ts'

/** Modules that touch time, chance or sockets. Their types are free. */
const WORLDLY_MODULES =
  /^(?:node:)?(?:net|tls|dgram|dns|http|https|http2|timers|perf_hooks|worker_threads)(?:\/|$)/

const WORLDLY_CODE: readonly [what: string, pattern: RegExp, instead: string][] = [
  ['Date', /(?<![.\w$])Date\b/, 'clock.wall()'],
  ['a timer', /(?<![\w$])set(?:Timeout|Interval|Immediate)\b/, 'clock.after, clock.every or clock.defer'],
  ['Math.random', /\bMath\.random\b/, 'random.next() or random.integer()'],
  ['performance', /(?<![.\w$])performance\b/, 'clock.now()'],
  ['process.hrtime', /\bhrtime\b/, 'clock.now()'],
  ["crypto's randomness", /\b(?:random(?:Bytes|UUID|Int|Fill|FillSync)|getRandomValues)\b/, 'random.bytes()']
]

const LINES_MAX = 400
/** Files that are one noun although they are longer, each with its reason. */
const LONG_FILES: ReadonlyMap<string, string> = new Map()

const root = repositoryRoot()
const sources = readSources(root, ['broker', 'gateway', 'client-js', 'load'])

test('a file of broker/ imports only from its own layer and those below it', () => {
  assertNone(layerFaults(sources))
})

test('the search for imports of higher layers finds them, also for types only', () => {
  const fault = (path: string, text: string): number => layerFaults([parseSource(path, text)]).length
  assert.equal(fault('broker/ring/x.ts', "import { Link } from '../link/link.ts'\nLink()"), 1)
  assert.equal(
    fault('broker/ring/x.ts', "import type { Link } from '../link/link.ts'\nexport type L = Link"),
    1
  )
  assert.equal(fault('broker/ring/x.ts', "export type L = import('../broker.ts').Broker"), 1)
  assert.equal(fault('broker/message.ts', "export { Ring } from './ring/ring.ts'"), 1)
  assert.equal(fault('broker/nowhere.ts', ''), 1)
  assert.equal(fault('broker/router/x.ts', "import { Link } from '../link/link.ts'\nLink()"), 0)
  assert.equal(fault('broker/broker.ts', "import './message.ts'\nimport './router/router.ts'"), 0)
})

test('a top-level folder imports only what it may', () => {
  const faults: string[] = []
  for (const source of sources) {
    const folder = source.path.split('/')[0]!
    for (const target of allImports(source)) {
      if (!isOurs(target) || target.startsWith(`${folder}/`)) continue
      const allowed = MAY_IMPORT[folder]!.some(each =>
        each.endsWith('/') ? target.startsWith(each) : target === each
      )
      if (!allowed)
        faults.push(
          `${source.path} imports ${target}: ${folder}/ may import ${MAY_IMPORT[folder]!.join(', ') || 'only itself'}`
        )
    }
  }
  assertNone(faults)
})

test('client-js imports nothing but itself, so that it runs in a browser', () => {
  const faults = sources
    .filter(source => source.path.startsWith('client-js/'))
    .flatMap(source =>
      allImports(source)
        .filter(target => !target.startsWith('client-js/'))
        .map(target => `${source.path} imports ${target}`)
    )
  assertNone(faults)
})

test('only runtime/node.ts touches time, chance and sockets in broker/', () => {
  const faults: string[] = []
  for (const source of sources) {
    if (source.path.startsWith('broker/') && source.path !== WORLD) faults.push(...worldlyFaults(source))
  }
  assertNone(faults)
})

test('the search for time, chance and sockets finds them, and nothing in comments, strings and types', () => {
  const guilty = [
    'export const now = Date.now()',
    'export const at = new Date()',
    'setTimeout(() => {}, 1)',
    'globalThis.setImmediate(() => {})',
    'export const luck = Math.random()',
    'export const t = performance.now()',
    "import { randomBytes } from 'node:crypto'\nrandomBytes(1)",
    "import { connect } from 'node:net'\nconnect(1)",
    "import { type Socket, isIP } from 'net'\nexport type S = Socket\nisIP('')",
    "const tls = await import('node:tls')\ntls.connect(1)"
  ]
  for (const text of guilty) assert.notDeepEqual(worldlyFaults(parseSource('broker/x.ts', text)), [], text)
  const innocent = [
    '// new Date(), setTimeout()\nexport const a = 1',
    "export const text = 'setTimeout and Date.now()'",
    "import type { Socket } from 'node:net'\nexport type S = Socket",
    'export const updated = { lastDate: 1 }.lastDate',
    "import { createHash } from 'node:crypto'\ncreateHash('sha256')"
  ]
  for (const text of innocent) assert.deepEqual(worldlyFaults(parseSource('broker/x.ts', text)), [], text)
})

test('broker/ has no import cycle', () => {
  const graph = new Map(
    sources.filter(each => each.path.startsWith('broker/')).map(each => [each.path, each.imports])
  )
  assertNone(
    cycles(graph).map(
      cycle => `${cycle.join(' -> ')}: move what both need to a file of its own, or import its type only`
    )
  )
})

test('the search for cycles finds them', () => {
  const graph = new Map([
    ['a', ['b']],
    ['b', ['c', 'd']],
    ['c', ['a']],
    ['d', ['d', 'node:fs']],
    ['e', ['a']]
  ])
  assert.deepEqual(cycles(graph), [
    ['a', 'b', 'c', 'a'],
    ['d', 'd']
  ])
})

test('no file is longer than one noun needs', () => {
  const faults = sources
    .filter(source => source.lines > LINES_MAX && !LONG_FILES.has(source.path))
    .map(source => `${source.path} has ${source.lines} lines (limit ${LINES_MAX}): it is usually two nouns`)
  for (const [path] of LONG_FILES) {
    const source = sources.find(each => each.path === path)
    if (source === undefined || source.lines <= LINES_MAX)
      faults.push(`${path} need not be in LONG_FILES any more`)
  }
  assertNone(faults)
})

test('every error of the table is used', () => {
  const texts = sources.filter(source => source.path !== 'broker/errors.ts').map(source => source.text)
  const faults = Object.keys(ERRORS)
    .filter(code => !texts.some(text => text.includes(`'${code}'`)))
    .map(code => `${code} is thrown nowhere and asked for nowhere: remove it from broker/errors.ts`)
  assertNone(faults)
})

function layerFaults(all: readonly Source[]): string[] {
  const faults: string[] = []
  for (const source of all.filter(each => each.path.startsWith('broker/'))) {
    const from = layerOf(source.path)
    if (from < 0) {
      faults.push(`${source.path} is in no layer: give it a place in LAYERS of test/architecture.test.ts`)
      continue
    }
    for (const target of allImports(source).filter(each => each.startsWith('broker/'))) {
      const to = layerOf(target)
      if (to <= from) continue
      faults.push(
        `${source.path} (${LAYERS[from]!.name}) imports ${target} (${LAYERS[to]!.name}), a layer above it`
      )
    }
  }
  return faults
}

function worldlyFaults(source: Source): string[] {
  const faults = source.imports
    .filter(target => WORLDLY_MODULES.test(target))
    .map(target => `${source.path} imports ${target}: take the network and the clock from the Runtime`)
  for (const [what, pattern, instead] of WORLDLY_CODE) {
    if (pattern.test(source.code))
      faults.push(`${source.path} touches ${what}: take ${instead} of the Runtime`)
  }
  return faults
}

/** The number of a file's layer; -1 if it has none. */
function layerOf(path: string): number {
  const parts = path.split('/')
  const inRoot = parts.length === 2
  const name = parts[1]!
  return LAYERS.findIndex(layer =>
    inRoot ? layer.files?.includes(name) === true : layer.files === undefined && layer.name === name
  )
}

function allImports(source: Source): string[] {
  return [...source.imports, ...source.typeImports]
}

function isOurs(target: string): boolean {
  return target.endsWith('.ts')
}

/** Cycles, each as a path that ends where it began; if there are any, at least one is found. */
function cycles(graph: ReadonlyMap<string, readonly string[]>): string[][] {
  const result: string[][] = []
  const done = new Set<string>()
  const way: string[] = []
  const visit = (path: string): void => {
    const start = way.indexOf(path)
    if (start >= 0) result.push([...way.slice(start), path])
    if (start >= 0 || done.has(path)) return
    way.push(path)
    for (const target of graph.get(path) ?? []) visit(target)
    way.pop()
    done.add(path)
  }
  for (const path of graph.keys()) visit(path)
  return result
}

function assertNone(faults: readonly string[]): void {
  assert.equal(faults.length, 0, `\n  ${faults.join('\n  ')}`)
}
