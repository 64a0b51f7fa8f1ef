// Many seeded lives of one kind, one after the other: each is told in a line when it broke a guarantee (or when all are to
// be told), with the seed that replays it.
import { parseArgs } from 'node:util'
import type { Log } from '../../broker/runtime/log.ts'
import { type Fault, runScenario } from './broker/scenario.ts'
import { type KvFault, runKvScenario } from './kv/scenario.ts'
import { runSessionScenario, type SessionFault } from './sessions/scenario.ts'
import { type RingFault, runRingScenario } from './upring/scenario.ts'

interface LifeOptions {
  /** Virtual ms of faults. */
  readonly busyMs: number
  readonly faults: readonly string[] | undefined
  readonly log: Log | undefined
}

interface Life {
  readonly violations: readonly string[]
  readonly faults: readonly string[]
}

/** What `npm run simulate -- <kind>` runs: its outcome's numbers are added up over the seeds. */
export const KINDS: Readonly<Record<string, (seed: number, options: LifeOptions) => Promise<Life>>> = {
  broker: (seed, { busyMs, faults, log }) =>
    runScenario(seed, {
      busyMs,
      ...(faults === undefined ? {} : { faults: faults as Fault[] }),
      ...(log === undefined ? {} : { log })
    }),
  sessions: (seed, { busyMs, faults }) =>
    runSessionScenario(seed, {
      busyMs,
      ...(faults === undefined ? {} : { faults: faults as SessionFault[] })
    }),
  upring: (seed, { busyMs, faults }) =>
    runRingScenario(seed, { busyMs, ...(faults === undefined ? {} : { faults: faults as RingFault[] }) }),
  kv: (seed, { busyMs, faults }) =>
    runKvScenario(seed, { busyMs, ...(faults === undefined ? {} : { faults: faults as KvFault[] }) })
}

const VIOLATIONS_SHOWN = 10

/** Returns the exit code: 1 when a guarantee was broken. */
export async function runLives(kind: string, args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seeds: { type: 'string', default: kind === 'broker' ? '1000' : '20' },
      first: { type: 'string', default: '1' },
      busy: { type: 'string', default: kind === 'broker' ? '30000' : '20000' },
      faults: { type: 'string' },
      log: { type: 'boolean', default: false },
      verbose: { type: 'boolean', default: false }
    }
  })
  const [first, seeds] = [Number(values.first), Number(values.seeds)]
  const options: LifeOptions = {
    busyMs: Number(values.busy),
    faults: values.faults?.split(','),
    log: values.log ? printingLog({}) : undefined
  }
  const sums = new Map<string, number>()
  const startedAt = Date.now()
  let failed = 0
  for (let seed = first; seed < first + seeds; seed++) {
    const life = await KINDS[kind]!(seed, options)
    for (const [name, value] of Object.entries(life)) {
      if (typeof value === 'number' && name !== 'seed') sums.set(name, (sums.get(name) ?? 0) + value)
    }
    if (values.verbose) process.stdout.write(`seed ${seed}: ${life.faults.join('; ')}\n`)
    if (life.violations.length > 0) {
      failed++
      process.stdout.write(
        `seed ${seed} broke ${life.violations.length} guarantees; faults: ${life.faults.join('; ')}\n`
      )
      for (const violation of life.violations.slice(0, VIOLATIONS_SHOWN))
        process.stdout.write(`  ${violation}\n`)
    }
    const done = seed - first + 1
    if (done % 50 === 0) process.stdout.write(`${done} of ${seeds} seeds, ${failed} failed\n`)
  }
  const totals = [...sums].filter(([name]) => !name.endsWith('Ms')).map(([name, sum]) => `${sum} ${name}`)
  const seconds = ((Date.now() - startedAt) / 1000).toFixed(0)
  process.stdout.write(`${seeds - failed} passed, ${failed} failed\n${totals.join(', ')}; ${seconds} s\n`)
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
