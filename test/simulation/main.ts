// npm run simulate -- [--seeds N] [--first SEED] [--busy MS] [--faults crash,leave,...]
// Runs many seeded lives of a cluster and says which broke a guarantee, with the seed that replays it.
import { parseArgs } from 'node:util'
import { type Fault, runScenario, type ScenarioOptions } from './broker/scenario.ts'

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1000' },
    first: { type: 'string', default: '1' },
    busy: { type: 'string', default: '30000' },
    faults: { type: 'string' },
    verbose: { type: 'boolean', default: false }
  }
})

const first = Number(values.first)
const count = Number(values.seeds)
const options: ScenarioOptions = {
  busyMs: Number(values.busy),
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
process.exitCode = failed === 0 ? 0 : 1
