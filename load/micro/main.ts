// `node dist/load/micro/main.js [part of a name] [--update]`: runs the benches, prints each figure and
// what moved against the baseline; with --update these figures become the baseline.
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { moved, readBaseline, writeBaseline } from './baseline.ts'
import { type Measured, measure } from './bench.ts'
import { BENCHES } from './benches.ts'

/** Relative to the root of the project, where the benches are run. */
const baselineFile = 'load/micro/baseline.json'
/** Room in the young generation, so that no collection falls into an allocation round. */
const flags = ['--expose-gc', '--max-semi-space-size=128', '--min-semi-space-size=128']

function runBenches(part: string, update: boolean): void {
  const baseline = readBaseline(baselineFile)
  const measured: Record<string, Measured> = {}
  for (const bench of BENCHES.filter(({ name }) => name.includes(part))) {
    const figures = measure(bench)
    measured[bench.name] = figures
    const time = figures.nanoseconds.toPrecision(3).padStart(8)
    const note = moved(figures, baseline?.benches[bench.name])
    process.stdout.write(
      `${bench.name.padEnd(60)}${time} ns ${String(figures.bytes).padStart(6)} bytes  ${note}\n`
    )
  }
  if (update) writeBaseline(baselineFile, baseline, measured)
}

if (globalThis.gc === undefined) {
  const again = [...flags, fileURLToPath(import.meta.url), ...process.argv.slice(2)]
  process.exitCode = spawnSync(process.execPath, again, { stdio: 'inherit' }).status ?? 1
} else {
  const { positionals, values } = parseArgs({
    options: { update: { type: 'boolean' } },
    allowPositionals: true
  })
  runBenches(positionals[0] ?? '', values.update === true)
}
