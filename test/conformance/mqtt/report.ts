// The table of statements, and what came of each on each target, as Markdown.
import { differences, knownOf, pending } from './known.ts'
import type { Result, Target } from './run.ts'
import type { Suite } from './suites.ts'

export interface Run {
  readonly suite: Suite
  readonly target: Target
  readonly results: readonly Result[]
}

/** What is not as `known.ts` says: broken and not listed, or listed and kept. Empty if all is as expected. */
export function surprises({ suite, target, results }: Run): string[] {
  const found: string[] = []
  for (const { statement, outcome, error } of results) {
    const known = knownOf(suite.version, statement.id, target.name)
    const name = `[MQTT-${statement.id}] of ${suite.version} on ${target.name}`
    if (outcome === 'broken' && known === null) found.push(`${name} is broken: ${error?.message}`)
    // Other versions of other brokers may keep what is listed.
    if (outcome === 'kept' && known !== null && pending.includes(known))
      found.push(`${name} is kept: take it out of known.ts`)
  }
  return found
}

export function summary({ suite, target, results }: Run): string {
  const count = (outcome: Result['outcome']): number =>
    results.filter(result => result.outcome === outcome).length
  const tried = count('kept') + count('broken')
  return `${target.name}, MQTT ${suite.version}: ${count('kept')} of ${tried} statements kept, ${count('untestable')} untestable`
}

/** The whole document. Runs of one suite stand beside each other. */
export function report(runs: readonly Run[]): string {
  const lines = [
    '# Conformance to MQTT',
    '',
    'Written by `node dist/test/conformance/mqtt/main.js --report`.',
    ''
  ]
  lines.push(
    '`shoal` is one node; `shoal-3` and `shoal-ws` are three, and each client of a test is at the next of them, over'
  )
  lines.push('TCP and over WebSocket. Packets are made by hand and sent raw.', '')
  lines.push(...runs.map(run => `- ${summary(run)}`), '', ...notes())
  for (const suite of new Set(runs.map(run => run.suite))) {
    lines.push(...table(runs.filter(run => run.suite === suite)))
  }
  return `${lines.join('\n')}\n`
}

function notes(): string[] {
  const list = (title: string, all: typeof pending): string[] =>
    all.length === 0
      ? []
      : [
          `## ${title}`,
          '',
          ...all.map(each => `- ${each.version} \`${each.id}\` (${each.targets.join(', ')}): ${each.why}`),
          ''
        ]
  return [...list('Not yet kept', pending), ...list('Where others differ', differences)]
}

function table(runs: readonly Run[]): string[] {
  const { suite } = runs[0]!
  const names = runs.map(run => run.target.name)
  const lines = [`## MQTT ${suite.version}`, '', `| statement | says | ${names.join(' | ')} |`]
  lines.push(`|---|---|${names.map(() => '---|').join('')}`)
  for (const [index, { id, text, proof }] of suite.statements.entries()) {
    const outcomes = runs.map(run => run.results[index]!.outcome)
    const why = typeof proof === 'string' ? ` *${proof}*` : ''
    const cells = outcomes.map(outcome =>
      outcome === 'broken' ? '**broken**' : outcome === 'kept' ? 'kept' : '-'
    )
    lines.push(`| ${id} | ${text.replaceAll('|', '\\|')}${why} | ${cells.join(' | ')} |`)
  }
  return [...lines, '']
}
