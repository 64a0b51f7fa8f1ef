// `shoal help`: what can be done, and how.

import { OPTIONS } from '../../broker/config.ts'
import { usageOf } from './arguments.ts'
import type { Command } from './command.ts'
import { textReference } from './reference.ts'

const HEAD = 'Shoal is a publish/subscribe broker that clusters by itself: MQTT, WebSocket and HTTP.'

/** The lines of `shoal help`. */
export function overviewOf(commands: readonly Command[]): string[] {
  const shown = commands.filter(({ hidden }) => !hidden)
  const rows = shown.map(
    ({ name, positionals, summary }) => [[name, ...positionals].join(' '), summary] as const
  )
  const all = [
    ...rows,
    ['help [command]', 'Explains a command and its options.'] as const,
    ['--version', 'Prints the version.'] as const
  ]
  const width = Math.max(...all.map(([words]) => words.length))
  return [
    HEAD,
    '',
    'Usage: shoal <command> [options]',
    '',
    ...all.map(([words, summary]) => `  ${words.padEnd(width)}  ${summary}`)
  ]
}

/** The lines of `shoal help <command>`. */
export function helpOf(command: Command): string[] {
  const { summary, options, letters, examples } = command
  const hasVariables = Object.keys(OPTIONS).every(name => Object.hasOwn(options, name))
  const lines = [`Usage: ${usageOf(command)}`, '', summary]
  if (examples.length > 0) lines.push('', 'Examples:', ...examples.map(example => `  ${example}`))
  if (Object.keys(options).length === 0) return lines
  return [...lines, '', 'Options:', textReference(options, letters, hasVariables)]
}
