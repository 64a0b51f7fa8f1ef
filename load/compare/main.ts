// `load compare`: checks the options, runs the comparison, writes Markdown, JSON and a page.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ShoalError } from '../../broker/errors.ts'
import { type LoadOptions, OPTIONS, type RawOptions } from '../options.ts'
import type { Screen } from '../report/console.ts'
import { BROKERS, type BrokerName } from './brokers.ts'
import { compare } from './compare.ts'
import { comparisonPage } from './page.ts'
import { ROWS } from './rows.ts'
import type { BrokerKind } from './started.ts'
import { comparisonMarkdown } from './tables.ts'

/** Options of `load` that are handed to every run as they were given. */
const HANDED_ON = ['protocol', 'payload', 'duration', 'warm-up', 'threads', 'window', 'batch'] as const

function listOf(value: RawOptions[keyof RawOptions]): string[] {
  return (Array.isArray(value) ? value : []).flatMap(part => part.split(','))
}

const ALL = Object.keys(BROKERS) as BrokerName[]

function clusterOf(name: BrokerName): BrokerName | undefined {
  const { clusterOf }: BrokerKind = BROKERS[name]
  return clusterOf
}

/** Those that are named, or all; with `--cluster` the clusters of these as well. `tell` hears what is not installed. */
function chosenBrokers(raw: RawOptions, tell: (line: string) => void): BrokerName[] {
  const named = listOf(raw.brokers)
  for (const name of named) {
    if (!ALL.some(one => one === name)) {
      throw new ShoalError('OPTION_INVALID', { option: '--brokers', value: name, allowed: ALL.join(', ') })
    }
  }
  const isInstalled = (name: BrokerName) => BROKERS[name].version() !== undefined
  const missing = (named as BrokerName[]).find(name => !isInstalled(name))
  if (missing !== undefined)
    throw new ShoalError('OPTION_INVALID', { option: '--brokers', notInstalled: missing })
  const single =
    named.length > 0 ? (named as BrokerName[]) : ALL.filter(name => clusterOf(name) === undefined)
  const clusters = raw.cluster === true ? ALL.filter(name => single.some(one => one === clusterOf(name))) : []
  const wanted = [...new Set([...single, ...clusters])]
  for (const name of wanted) if (!isInstalled(name)) tell(`LEFT OUT, not installed: ${name}`)
  return wanted.filter(isInstalled)
}

function chosenRows(raw: RawOptions): string[] {
  const named = listOf(raw.rows)
  if (named.includes('all')) return Object.keys(ROWS)
  for (const name of named) {
    if (Object.hasOwn(ROWS, name)) continue
    const allowed = Object.keys(ROWS).join(', ')
    throw new ShoalError('OPTION_INVALID', { option: '--rows', value: name, allowed })
  }
  return named.length > 0 ? named : Object.keys(ROWS).filter(name => ROWS[name]?.usual)
}

/** Runs the comparison and returns the exit code: 1 when any message was lost, doubled or misplaced. */
export async function compareMain(raw: RawOptions, options: LoadOptions, screen: Screen): Promise<number> {
  const rounds = Number(raw.rounds ?? OPTIONS.rounds.fallback)
  if (!Number.isInteger(rounds) || rounds < 1 || rounds > 100) {
    throw new ShoalError('OPTION_INVALID', {
      option: '--rounds',
      value: raw.rounds,
      allowed: 'a whole number from 1 to 100'
    })
  }
  const patienceMs = Number(raw.patience ?? OPTIONS.patience.fallback) * 1_000
  if (!(patienceMs >= 0 && patienceMs <= 86_400_000)) {
    throw new ShoalError('OPTION_INVALID', {
      option: '--patience',
      value: raw.patience,
      allowed: 'a number from 0 to 86400'
    })
  }
  const args = HANDED_ON.flatMap(name => (raw[name] === undefined ? [] : [`--${name}`, String(raw[name])]))
  const tell = (line: string) => screen.write(`${line}\n`)
  const brokers = chosenBrokers(raw, tell)
  const comparison = await compare({ brokers, rows: chosenRows(raw), rounds, patienceMs, args }, tell)
  const markdown = comparisonMarkdown(comparison)
  screen.write(`\n${markdown}`)
  const folder = typeof raw.results === 'string' ? raw.results : OPTIONS.results.fallback
  mkdirSync(folder, { recursive: true })
  const name = comparison.date.replace(/[:.]/g, '-')
  writeFileSync(join(folder, `${name}.md`), markdown)
  writeFileSync(options.json ?? join(folder, `${name}.json`), `${JSON.stringify(comparison, null, 1)}\n`)
  writeFileSync(options.html ?? join(folder, `${name}.html`), comparisonPage(comparison))
  return comparison.rows.some(row => row.cells.some(cell => cell.faults.length > 0)) ? 1 : 0
}
