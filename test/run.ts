// `npm test`: runs every compiled test file in a process of its own, and says last, and loudly, what was not
// tested because a tool is missing. `npm test -- swim link` runs the files whose paths contain one of the words.
import { readdirSync } from 'node:fs'
import { dirname, join, relative, sep } from 'node:path'
import { run } from 'node:test'
import { spec } from 'node:test/reporters'
import { fileURLToPath } from 'node:url'
import { NEEDS } from './support/tools.ts'

const FILES_AT_ONCE = 2
/** A file that takes longer hangs, or has left something open that keeps its process alive. */
const FILE_TIMEOUT_MS = 240_000

interface Tally {
  passed: number
  failed: number
  skipped: number
  /** Names of tests, by the reason why they were skipped. */
  missing: Map<string, string[]>
}

const folder = dirname(fileURLToPath(import.meta.url))
const words = process.argv.slice(2)
const files = testFiles(folder, words)

if (files.length === 0) {
  console.error(`no test file below ${folder} has ${words.join(' or ')} in its path`)
  process.exitCode = 1
} else {
  const tally = await runFiles(files)
  report(tally)
  const incomplete = process.env['CI'] === 'true' && tally.missing.size > 0
  if (tally.failed > 0 || incomplete) process.exitCode = 1
}

function testFiles(below: string, containing: readonly string[]): string[] {
  return readdirSync(below, { recursive: true, encoding: 'utf8' })
    .filter(path => path.endsWith('.test.js'))
    .filter(
      path => containing.length === 0 || containing.some(word => path.split(sep).join('/').includes(word))
    )
    .sort()
    .map(path => join(below, path))
}

async function runFiles(paths: string[]): Promise<Tally> {
  const tally: Tally = { passed: 0, failed: 0, skipped: 0, missing: new Map() }
  const events = run({ files: paths, concurrency: FILES_AT_ONCE, timeout: FILE_TIMEOUT_MS })
  events.on('test:pass', test => {
    if (test.details.type === 'suite') return
    if (test.skip === undefined || test.skip === false) tally.passed++
    else skip(tally, test.name, test.file, test.skip)
  })
  events.on('test:fail', test => {
    // A test marked as still to do may fail; a suite fails by its tests, or by itself when it has none.
    if (test.todo === undefined || test.todo === false) tally.failed++
  })
  for await (const text of events.compose(new spec())) process.stdout.write(text)
  return tally
}

function skip(tally: Tally, name: string, file: string | undefined, reason: string | true): void {
  tally.skipped++
  if (reason === true || !reason.startsWith(NEEDS)) return
  const test = file === undefined ? name : `${relative(folder, file).replace(/\.js$/, '.ts')}: ${name}`
  tally.missing.set(reason, [...(tally.missing.get(reason) ?? []), test])
}

function report({ passed, failed, skipped, missing }: Tally): void {
  if (missing.size > 0) {
    const line = '!'.repeat(80)
    console.log(`\n${line}\n!! NOT TESTED, because a tool is missing on this machine:`)
    for (const [reason, tests] of missing) {
      console.log(`!!\n!! ${reason}`)
      for (const test of tests) console.log(`!!   ${test}`)
    }
    console.log(line)
    if (process.env['CI'] === 'true') console.log('CI is set, so this run has failed.')
  }
  console.log(`\n${passed} passed, ${failed} failed, ${skipped} skipped`)
}
