// Brokers side by side: each measurement starts its broker afresh, on one core, with the generator on
// the others; brokers take turns within each round and change order between rounds, so that what the
// machine does meanwhile falls on all alike. The median of the rounds counts.
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { commandLine } from '../command.ts'
import type { ConnectResult } from '../connect/result.ts'
import { describeMachine, type Machine } from '../machine.ts'
import type { LoadResult } from '../result.ts'
import { BROKERS, type BrokerName } from './brokers.ts'
import { canPin, pinned } from './child.ts'
import { FIGURES, type FigureName, figureText } from './figures.ts'
import { type Cell, cellOf, outcomeOf, type Run } from './outcome.ts'
import { untilQuiet } from './quiet.ts'
import { ROWS, type RowDefinition } from './rows.ts'
import type { BrokerKind, Speech, StartedBroker } from './started.ts'

const BROKER_CORE = 0
const main = fileURLToPath(new URL('../main.js', import.meta.url))

export interface CompareOptions {
  brokers: readonly BrokerName[]
  /** Names of `ROWS`. */
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
  /** Whether the broker had a core for itself. */
  pinnedToCores: boolean
  /** Runs of each broker in each row. */
  rounds: number
  rows: ComparedRow[]
}

/** Measures every row for every broker. `tell` hears one line a run. A run that fails is a fault of its cell. */
export async function compare(options: CompareOptions, tell: (line: string) => void): Promise<Comparison> {
  const versions = Object.fromEntries(
    options.brokers.map(name => [name, BROKERS[name].version() ?? 'not installed'])
  )
  const rows: ComparedRow[] = []
  for (const name of options.rows) {
    const row = ROWS[name]!
    const brokers = options.brokers.filter(broker => speechOf(broker).includes(row.speech))
    const results = new Map<BrokerName, Run[]>(brokers.map(broker => [broker, []]))
    for (let round = 0; round < options.rounds; round++) {
      const order = round % 2 === 0 ? brokers : brokers.toReversed()
      for (const broker of order) {
        await untilQuiet(options.patienceMs)
        const result = await measure(broker, row, options.args)
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
    pinnedToCores: canPin,
    rounds: options.rounds,
    rows
  }
}

function speechOf(broker: BrokerName): readonly Speech[] {
  const { speaks = ['mqtt'] }: BrokerKind = BROKERS[broker]
  return speaks
}

function oneLine({ by }: RowDefinition, run: Run): string {
  if ('failure' in run) return run.failure
  const figures = by.map(name => `${figureText(name, run.figures[name])} ${FIGURES[name].title}`)
  return [...figures, ...run.faults].join(', ')
}

async function measure(name: BrokerName, row: RowDefinition, args: readonly string[]): Promise<Run> {
  const folder = mkdtempSync(join(tmpdir(), 'load-compare-'))
  let broker: StartedBroker | undefined
  try {
    broker = await BROKERS[name].start(BROKER_CORE)
    const json = join(folder, 'result.json')
    const places = placesOf(broker, row.speech)
    const pids = broker.pids.flatMap(pid => ['--pid', String(pid)])
    const command = [main, row.scenario, ...row.args, ...args, ...places, ...pids, '--json', json, '--quiet']
    const code = await runNode(command)
    if (code > 1) return { failure: `the load ended with ${code}` }
    return outcomeOf(JSON.parse(readFileSync(json, 'utf8')) as LoadResult | ConnectResult)
  } catch (error) {
    return { failure: error instanceof Error ? error.message : String(error) }
  } finally {
    await broker?.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Of three nodes, publishers take the second and subscribers the third: most deliveries cross two links. */
function placesOf({ urls, webUrls = [] }: StartedBroker, speech: Speech): string[] {
  const addresses = speech === 'mqtt' ? urls : webUrls.map(url => url.replace('http:', 'ws:'))
  const publishTo = addresses.at(addresses.length > 1 ? 1 : 0)!
  return ['--publish-to', publishTo, '--subscribe-at', addresses.at(-1)!]
}

/** All but the brokers' core, as `taskset` takes them. */
function otherCores(): string {
  return cpus().length === 2 ? '1' : `1-${cpus().length - 1}`
}

function runNode(args: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(...pinned(otherCores(), process.execPath, args), {
      stdio: ['ignore', 'ignore', 'inherit']
    })
    child.on('error', reject)
    child.on('exit', code => resolve(code ?? 255))
  })
}
