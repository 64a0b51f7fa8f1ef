// Brokers side by side: each measurement starts its broker afresh, on one core, with the generator on
// another; brokers take turns within each round and change order between rounds, so that what the
// machine does meanwhile falls on all alike. The median of the rounds counts.
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ShoalError } from '../../broker/errors.ts'
import { commandLine } from '../command.ts'
import type { ConnectResult } from '../connect/connect.ts'
import { describeMachine, type Machine } from '../machine.ts'
import type { LoadResult } from '../result.ts'
import { BROKERS, type BrokerName } from './brokers.ts'
import { FIGURES, type FigureName, figureText } from './figures.ts'
import { type Cell, cellOf, outcomeOf, type Run } from './outcome.ts'
import { untilQuiet } from './quiet.ts'
import { ROWS, type RowDefinition } from './rows.ts'
import { pinned, type StartedBroker } from './started.ts'

const main = fileURLToPath(new URL('../main.js', import.meta.url))

export interface CompareOptions {
  brokers: readonly BrokerName[]
  rows: readonly string[]
  rounds: number
  /** How long each run waits at most for the machine to be quiet. */
  patienceMs: number
  /** Options of `load` for every run: duration, protocol, payload … */
  args: readonly string[]
}

export interface ComparedRow {
  name: string
  title: string
  by: readonly FigureName[]
  cells: Cell[]
}

export interface Comparison {
  date: string
  machine: Machine
  command: string
  versions: Record<string, string>
  /** Whether broker and generators each had a core of their own. */
  pinnedToCores: boolean
  /** Runs of each broker in each row. */
  rounds: number
  rows: ComparedRow[]
}

/** Measures every row for every broker. `tell` hears one line a run. A run that fails is a fault of its cell. */
export async function compare(options: CompareOptions, tell: (line: string) => void): Promise<Comparison> {
  const separate = cpus().length > 1
  const versions = Object.fromEntries(
    options.brokers.map(name => [name, BROKERS[name].version() ?? 'not installed'])
  )
  const rows: ComparedRow[] = []
  for (const name of options.rows) {
    const row = ROWS[name]
    if (row === undefined)
      throw new ShoalError('OPTION_INVALID', { row: name, allowed: Object.keys(ROWS).join(', ') })
    const results = new Map<BrokerName, Run[]>(options.brokers.map(broker => [broker, []]))
    for (let round = 0; round < options.rounds; round++) {
      const order = round % 2 === 0 ? options.brokers : options.brokers.toReversed()
      for (const broker of order) {
        await untilQuiet(options.patienceMs)
        const result = await measure(broker, row, options.args, separate)
        results.get(broker)!.push(result)
        tell(`${name} ${round + 1}/${options.rounds} ${broker}: ${oneLine(row, result)}`)
      }
    }
    rows.push({
      name,
      title: row.title,
      by: row.by,
      cells: [...results].map(([broker, runs]) => cellOf(broker, runs))
    })
  }
  return {
    date: new Date().toISOString(),
    machine: describeMachine(),
    command: commandLine(),
    versions,
    pinnedToCores: separate,
    rounds: options.rounds,
    rows
  }
}

function oneLine({ by }: RowDefinition, run: Run): string {
  if ('failure' in run) return run.failure
  const figures = by.map(name => `${figureText(name, run.figures[name])} ${FIGURES[name].title}`)
  return [...figures, ...run.faults].join(', ')
}

async function measure(
  name: BrokerName,
  row: RowDefinition,
  args: readonly string[],
  separate: boolean
): Promise<Run> {
  const folder = mkdtempSync(join(tmpdir(), 'load-compare-'))
  let broker: StartedBroker | undefined
  try {
    broker = await BROKERS[name].start(separate ? 0 : undefined)
    const json = join(folder, 'result.json')
    // Of three nodes, publishers take the second and subscribers the third: most deliveries cross two links.
    const publishTo = broker.urls.at(broker.urls.length > 1 ? 1 : 0)!
    const subscribeAt = broker.urls.at(-1)!
    const places = ['--publish-to', publishTo, '--subscribe-at', subscribeAt]
    const pids = broker.pids.flatMap(pid => ['--pid', String(pid)])
    const command = [main, row.scenario, ...row.args, ...args, ...places, ...pids, '--json', json, '--quiet']
    const code = await runNode(separate ? 1 : undefined, command)
    if (code > 1) return { failure: `the load ended with ${code}` }
    return outcomeOf(JSON.parse(readFileSync(json, 'utf8')) as LoadResult | ConnectResult)
  } catch (error) {
    return { failure: error instanceof Error ? error.message : String(error) }
  } finally {
    await broker?.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

function runNode(core: number | undefined, args: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(...pinned(core, process.execPath, args), { stdio: ['ignore', 'ignore', 'inherit'] })
    child.on('error', reject)
    child.on('exit', code => resolve(code ?? 255))
  })
}
