// Reads a command's arguments by its table of options: `--flag value`, `--flag=value`, `-f value`,
// `--flag` and `--no-flag` for booleans. What nobody knows is refused with what was probably meant.
import { parseArgs } from 'node:util'
import {
  environmentNameOf,
  flagOf,
  type Given,
  OptionError,
  unknownOption
} from '../../broker/options/index.ts'
import type { Arguments, Command } from './command.ts'
import { Failure } from './failure.ts'

/** Throws OPTION_INVALID for an unknown flag, `Failure` for a positional too many or too few. */
export function readArguments(command: Command, argv: readonly string[]): Arguments {
  const nameOf = new Map(Object.keys(command.options).map(name => [flagOf(name), name]))
  const { tokens } = parseArgs({ args: [...argv], options: shapes(command), strict: false, tokens: true })
  const flags = new Map<string, Given>()
  const positionals: string[] = []
  for (const token of tokens) {
    if (token.kind === 'positional') positionals.push(token.value)
    if (token.kind !== 'option') continue
    const name = nameOf.get(token.name) ?? nameOf.get(token.name.replace(/^no-/, ''))
    const option = name === undefined ? undefined : command.options[name]
    const negated = name !== undefined && !nameOf.has(token.name)
    if (name === undefined || option === undefined || (negated && !option.standsAlone)) {
      throw unknownOption(token.rawName, known(command), token.name)
    }
    if (option.secret === true) throw onlyElsewhere(name, token.rawName)
    const value = option.standsAlone ? (token.value ?? !negated) : token.value
    const before = flags.get(name)?.value
    const all =
      option.repeats && value !== undefined ? [...(Array.isArray(before) ? before : []), value] : value
    flags.set(name, { label: token.rawName, value: all })
  }
  checkPositionals(command, positionals)
  return { flags, positionals }
}

function shapes(command: Command): Record<string, { type: 'string' | 'boolean'; short?: string }> {
  const letterOf = new Map(Object.entries(command.letters).map(([letter, name]) => [name, letter]))
  const shaped: Record<string, { type: 'string' | 'boolean'; short?: string }> = {}
  for (const [name, option] of Object.entries(command.options)) {
    const letter = letterOf.get(name)
    const type = option.standsAlone ? 'boolean' : 'string'
    shaped[flagOf(name)] = letter === undefined ? { type } : { type, short: letter }
  }
  return shaped
}

function known(command: Command): string[] {
  const open = Object.entries(command.options).filter(([, option]) => option.secret !== true)
  return [...open.map(([name]) => `--${flagOf(name)}`), '--help']
}

function onlyElsewhere(name: string, written: string): OptionError {
  return new OptionError(
    `${written} is secret, and every user of this machine sees its command lines: give it as ` +
      `${environmentNameOf(name)}, or in an option file.`,
    { option: written }
  )
}

function checkPositionals(command: Command, given: readonly string[]): void {
  const usage = `Usage: ${usageOf(command)}`
  const missing = command.positionals[given.length]
  if (missing !== undefined) throw new Failure(`${missing} is missing. ${usage}`, 2)
  const extra = given[command.positionals.length]
  if (extra !== undefined) throw new Failure(`${JSON.stringify(extra)} is one argument too many. ${usage}`, 2)
}

/** `shoal owner <topic> [options]` */
export function usageOf(command: Command): string {
  const options = Object.keys(command.options).length === 0 ? [] : ['[options]']
  return ['shoal', command.name, ...command.positionals, ...options].join(' ')
}
