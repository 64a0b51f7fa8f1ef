// `load compare`: checks the options, runs the comparison, writes Markdown, JSON and a page.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ShoalError } from '../../broker/errors.ts'
import { type LoadOptions, OPTIONS, type RawOptions } from '../options.ts'
import { BROKERS, type BrokerName } from './brokers.ts'
import { compare } from './compare.ts'
import { comparisonPage } from './page.ts'
import { ROWS } from './rows.ts'
import { comparisonMarkdown } from './tables.ts'

/** Options of `load` that are handed to every run as they were given. */
const HANDED_ON = ['protocol', 'payload', 'duration', 'warm-up', 'threads', 'window', 'batch'] as const

function listOf(value: RawOptions[keyof RawOptions]): string[] {
  return (Array.isArray(value) ? value : []).flatMap(part => part.split(','))
}

function chosenBrokers(raw: RawOptions): BrokerName[] {
  const all = Object.keys(BROKERS) as BrokerName[]
  const known = all.filter(name => name !== 'shoal-cluster' && BROKERS[name].version() !== undefined)
  const named = listOf(raw.brokers)
  for (const name of named) {
    if (!all.some(one => one === name)) {
      throw new ShoalError('OPTION_INVALID', { option: '--brokers', value: name, allowed: all.join(', ') })
    }
  }
  const chosen = named.length > 0 ? (named as BrokerName[]) : known
  const missing = chosen.find(name => BROKERS[name].version() === undefined)
  if (missing !== undefined)
    throw new ShoalError('OPTION_INVALID', { option: '--brokers', notInstalled: missing })
  return raw.cluster === true && !chosen.includes('shoal-cluster') ? [...chosen, 'shoal-cluster'] : chosen
}

function chosenRows(raw: RawOptions): string[] {
  const named = listOf(raw.rows)
  if (named.includes('all')) return Object.keys(ROWS)
  return named.length > 0 ? named : Object.keys(ROWS).filter(name => ROWS[name]?.usual)
}

/** Runs the comparison and returns the exit code: 1 when any message was lost, doubled or misplaced. */
export async function compareMain(raw: RawOptions, options: LoadOptions): Promise<number> {
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
  const comparison = await compare(
    { brokers: chosenBrokers(raw), rows: chosenRows(raw), rounds, patienceMs, args },
    line => process.stdout.write(`${line}\n`)
  )
  const markdown = comparisonMarkdown(comparison)
  process.stdout.write(`\n${markdown}`)
  const folder = typeof raw.results === 'string' ? raw.results : OPTIONS.results.fallback
  mkdirSync(folder, { recursive: true })
  const name = comparison.date.replace(/[:.]/g, '-')
  writeFileSync(join(folder, `${name}.md`), markdown)
  writeFileSync(options.json ?? join(folder, `${name}.json`), `${JSON.stringify(comparison, null, 1)}\n`)
  writeFileSync(options.html ?? join(folder, `${name}.html`), comparisonPage(comparison))
  return comparison.rows.some(row => row.cells.some(cell => cell.faults.length > 0)) ? 1 : 0
}
