// npm run simulate -- [--seeds N] [--first SEED] [--busy MS] [--faults crash,leave,...] [--verbose] [--log]
// Runs many seeded lives of a cluster and says which broke a guarantee, with the seed that replays it.
//
// npm run simulate -- swim [--members 10,100,1000] [--seed N] [--quick] [--output PATH]
// The study of membership at scale: see swim/program.ts.
//
// npm run simulate -- kv [--seeds N] [--first SEED] [--busy MS] [--faults join,leave,...]
// Handover of key-value data under load: see kv/scenario.ts.
import { parseArgs } from 'node:util'
import type { Log } from '../../broker/runtime/log.ts'
import { type Fault, runScenario, type ScenarioOptions } from './broker/scenario.ts'
import { runKvLives } from './kv/program.ts'
import { runSwimStudy } from './swim/program.ts'

const [, , command, ...rest] = process.argv
if (command === 'swim') process.exitCode = await runSwimStudy(rest)
else if (command === 'kv') process.exitCode = await runKvLives(rest)
else process.exitCode = await runLives()

/** The exit code: 1 when a guarantee was broken. */
async function runLives(): Promise<number> {
  const { values } = parseArgs({
    options: {
      seeds: { type: 'string', default: '1000' },
      first: { type: 'string', default: '1' },
      busy: { type: 'string', default: '30000' },
      faults: { type: 'string' },
      log: { type: 'boolean', default: false },
      verbose: { type: 'boolean', default: false }
    }
  })

  const first = Number(values.first)
  const count = Number(values.seeds)
  const options: ScenarioOptions = {
    busyMs: Number(values.busy),
    ...(values.log ? { log: printingLog({}) } : {}),
    ...(values.faults === undefined ? {} : { faults: values.faults.split(',') as Fault[] })
  }
  let [failed, sent, delivered] = [0, 0, 0]
  const startedAt = Date.now()
  for (let seed = first; seed < first + count; seed++) {
    const outcome = await runScenario(seed, options)
    sent += outcome.sent
    delivered += outcome.delivered
    if (values.verbose) process.stdout.write(`seed ${seed}: ${outcome.faults.join('; ')}\n`)
    if (outcome.violations.length > 0) {
      failed++
      process.stdout.write(
        `seed ${seed} broke ${outcome.violations.length} guarantees; faults: ${outcome.faults.join('; ')}\n`
      )
      for (const violation of outcome.violations.slice(0, 10)) process.stdout.write(`  ${violation}\n`)
    }
    if ((seed - first + 1) % 50 === 0)
      process.stdout.write(`${seed - first + 1} of ${count} seeds, ${failed} failed\n`)
  }
  const seconds = ((Date.now() - startedAt) / 1000).toFixed(0)
  process.stdout.write(`${count - failed} passed, ${failed} failed\n`)
  process.stdout.write(`${sent} messages sent, ${delivered} delivered, ${seconds} s\n`)
  return failed === 0 ? 0 : 1
}

/** Prints each line as JSON: what a node said while a seed was replayed. */
function printingLog(fields: object): Log {
  const print = (level: string) => (more: object, event: string) => {
    const line = { level, event, ...fields, ...more }
    const plain = (_name: string, value: unknown): unknown => (value instanceof Error ? value.message : value)
    process.stdout.write(`${JSON.stringify(line, plain)}\n`)
  }
  return {
    trace: () => {},
    debug: print('debug'),
    info: print('info'),
    warn: print('warn'),
    error: print('error'),
    child: more => printingLog({ ...fields, ...more })
  }
}
