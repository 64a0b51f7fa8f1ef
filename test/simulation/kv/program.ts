// npm run simulate -- kv [--seeds N] [--first SEED] [--busy MS] [--faults join,leave,...]
import { parseArgs } from 'node:util'
import { type KvFault, runKvScenario } from './scenario.ts'

/** The exit code: 1 when a guarantee was broken. */
export async function runKvLives(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seeds: { type: 'string', default: '20' },
      first: { type: 'string', default: '1' },
      busy: { type: 'string', default: '20000' },
      faults: { type: 'string' }
    }
  })
  const first = Number(values.first)
  const seeds = Number(values.seeds)
  const faults = values.faults === undefined ? {} : { faults: values.faults.split(',') as KvFault[] }
  let failed = 0
  for (let seed = first; seed < first + seeds; seed++) {
    const outcome = await runKvScenario(seed, { busyMs: Number(values.busy), ...faults })
    const { violations, put, acknowledged, got, shown, missed, slowestMs } = outcome
    process.stdout.write(
      `seed ${seed}: ${outcome.faults.length} faults, ${acknowledged} of ${put} puts acknowledged, ` +
        `${slowestMs.toFixed(0)} ms at worst, ${got} gets, ${shown} updates shown and ${missed} reported missed\n`
    )
    if (violations.length === 0) continue
    failed++
    process.stdout.write(`  broke ${violations.length} guarantees; faults: ${outcome.faults.join('; ')}\n`)
    for (const violation of violations.slice(0, 10)) process.stdout.write(`  ${violation}\n`)
  }
  process.stdout.write(`${seeds - failed} passed, ${failed} failed\n`)
  return failed === 0 ? 0 : 1
}
