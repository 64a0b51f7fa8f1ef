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
import { faultsOf } from '../integrity.ts'
import { describeMachine, type Machine } from '../machine.ts'
import type { LoadResult } from '../result.ts'
import { BROKERS, type BrokerName } from './brokers.ts'
import { ROWS, type RowDefinition } from './rows.ts'
import { pinned, type StartedBroker } from './started.ts'

const main = fileURLToPath(new URL('../main.js', import.meta.url))

export interface CompareOptions {
  brokers: readonly BrokerName[]
  rows: readonly string[]
  rounds: number
  /** Options of `load` for every run: duration, protocol, payload … */
  args: readonly string[]
}

/** One broker's figures in one row: medians over its rounds. */
export interface Cell {
  broker: BrokerName
  deliveriesPerSecond: number
  cpuUsPerDelivery: number
  brokerCpuPercent: number
  p50Us: number
  p99Us: number
  rssKib: number
  generatorWasTheLimit: boolean
  /** What other processes took meanwhile, percent of one core. */
  othersCpuPercent: number
  faults: string[]
  rounds: number
}

export interface ComparedRow {
  name: string
  title: string
  cells: Cell[]
}

export interface Comparison {
  date: string
  machine: Machine
  command: string
  versions: Record<string, string>
  /** Whether broker and generators each had a core of their own. */
  pinnedToCores: boolean
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
    const results = new Map<BrokerName, (LoadResult | string)[]>(options.brokers.map(broker => [broker, []]))
    for (let round = 0; round < options.rounds; round++) {
      const order = round % 2 === 0 ? options.brokers : options.brokers.toReversed()
      for (const broker of order) {
        const result = await measure(broker, row, options.args, separate)
        results.get(broker)!.push(result)
        tell(`${name} ${round + 1}/${options.rounds} ${broker}: ${oneLine(result)}`)
      }
    }
    rows.push({ name, title: row.title, cells: [...results].map(([broker, runs]) => cellOf(broker, runs)) })
  }
  return {
    date: new Date().toISOString(),
    machine: describeMachine(),
    command: commandLine(),
    versions,
    pinnedToCores: separate,
    rows
  }
}

function oneLine(result: LoadResult | string): string {
  if (typeof result === 'string') return result
  const cost = result.cpuUsPerDelivery?.toPrecision(3) ?? '?'
  return `${Math.round(result.deliveriesPerSecond)} deliveries/s, ${cost} µs CPU each`
}

async function measure(
  name: BrokerName,
  row: RowDefinition,
  args: readonly string[],
  separate: boolean
): Promise<LoadResult | string> {
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
    if (code > 1) return `the load ended with ${code}`
    return JSON.parse(readFileSync(json, 'utf8')) as LoadResult
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
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

/** The middle of `values`; of an even number, the mean of the two in the middle. 0 of none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const half = sorted.length >>> 1
  if (sorted.length === 0) return 0
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2
}

function cellOf(broker: BrokerName, runs: readonly (LoadResult | string)[]): Cell {
  const results = runs.filter(run => typeof run !== 'string')
  const middle = (figure: (result: LoadResult) => number) => median(results.map(figure))
  const sum = (result: LoadResult, figure: (broker: LoadResult['brokers'][number]) => number) =>
    result.brokers.reduce((total, process) => total + figure(process), 0)
  return {
    broker,
    deliveriesPerSecond: middle(result => result.deliveriesPerSecond),
    cpuUsPerDelivery: middle(result => result.cpuUsPerDelivery ?? 0),
    brokerCpuPercent: middle(result => sum(result, process => process.cpuPercent)),
    p50Us: middle(result => result.latency.p50Us),
    p99Us: middle(result => result.latency.p99Us),
    rssKib: middle(result => sum(result, process => process.rssKibMax)),
    generatorWasTheLimit: results.some(result => result.generator.wasTheLimit),
    othersCpuPercent: middle(result => result.othersCpuPercent ?? 0),
    faults: runs.flatMap(run => (typeof run === 'string' ? [run] : faultsOf(run.integrity, false))),
    rounds: results.length
  }
}
