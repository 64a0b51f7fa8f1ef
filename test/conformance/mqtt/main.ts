// Tries the statements: on Shoal and Mosquitto, which it starts, or on a broker that runs already.
// `main.js [--target mqtt://host:port[,mqtt://host:port]] [--name name] [--only 3.8]
// [--report file.md]`. Several addresses are a
// cluster's nodes. The exit code is 1 if anything is not as known.ts says.
import { writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { type Run, report, summary, surprises } from './report.ts'
import { runSuite, type Target } from './run.ts'
import type { Statement } from './statement.ts'
import { type Suite, suites } from './suites.ts'
import { startMosquitto, startShoal } from './targets.ts'

const { values } = parseArgs({
  options: {
    target: { type: 'string' },
    name: { type: 'string' },
    report: { type: 'string' },
    only: { type: 'string' }
  }
})
const endings: (() => void | Promise<void>)[] = []
const scope = {
  after(run: () => void | Promise<void>): void {
    endings.unshift(run)
  }
}

async function targets(): Promise<Target[]> {
  if (values.target !== undefined) return [{ name: values.name ?? 'given', urls: values.target.split(',') }]
  const mosquitto = await startMosquitto(scope)
  if (mosquitto === null) console.error('mosquitto is not installed: not tried')
  return [...(await startShoal(scope)), ...(mosquitto === null ? [] : [mosquitto])]
}

/** All suites, or of each the statements whose number begins with `--only`. */
function chosen(): readonly Suite[] {
  const { only } = values
  if (only === undefined) return suites
  const isWanted = ({ id }: Statement): boolean => id.startsWith(only)
  return suites.map(({ version, statements }) => ({ version, statements: statements.filter(isWanted) }))
}

const runs: Run[] = []
try {
  for (const target of await targets()) {
    for (const suite of chosen()) {
      const run = { suite, target, results: await runSuite(suite, target) }
      runs.push(run)
      console.log(summary(run))
      for (const { statement, outcome, error } of run.results) {
        if (outcome === 'broken') console.log(`  [MQTT-${statement.id}] ${error?.message}`)
      }
    }
  }
  if (values.report !== undefined) await writeFile(values.report, report(runs))
} finally {
  for (const end of endings) await end()
}
const found = runs.flatMap(surprises)
for (const line of found) console.error(line)
process.exitCode = found.length === 0 ? 0 : 1
