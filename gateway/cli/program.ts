// The `shoal` program: finds the command, runs it, and turns what went wrong into a sentence and an
// exit code: 0 done, 1 failed, 2 not understood.
import { ShoalError } from '../../broker/errors.ts'
import { suggestion } from '../../broker/options/index.ts'
import { readArguments } from './arguments.ts'
import { cluster } from './cluster.ts'
import type { Command, Terminal } from './command.ts'
import { Failure } from './failure.ts'
import { helpOf, overviewOf } from './help.ts'
import { keygen } from './keygen.ts'
import { load } from './load.ts'
import { owner } from './owner.ts'
import { pub } from './pub.ts'
import { markdownReference } from './reference.ts'
import { clusterNode, start } from './start.ts'
import { status } from './status.ts'
import { sub } from './sub.ts'
import { version } from './version.ts'

export const COMMANDS: readonly Command[] = [
  start,
  cluster,
  status,
  owner,
  pub,
  sub,
  keygen,
  load,
  clusterNode
]

/** Settles with the exit code. Rejects for a bug only. */
export async function run(argv: readonly string[], terminal: Terminal): Promise<number> {
  try {
    return await dispatch(argv, terminal)
  } catch (error) {
    if (error instanceof Failure) {
      terminal.error(`shoal: ${error.message}`)
      return error.exitCode
    }
    if (error instanceof ShoalError && error.code === 'OPTION_INVALID') {
      const name = find(argv[0])?.hidden === false ? argv[0] : 'start'
      terminal.error(`shoal: ${error.message} \`shoal help ${name}\` lists all options.`)
      return 2
    }
    if (error instanceof ShoalError) {
      terminal.error(`shoal: ${error.message} (${error.code}).`)
      return 1
    }
    throw error
  }
}

async function dispatch(argv: readonly string[], terminal: Terminal): Promise<number> {
  const [first, ...rest] = argv
  if (first === '--version' || first === '-v') return print([version()], terminal)
  if (first === undefined || first === '--help' || first === '-h')
    return print(overviewOf(COMMANDS), terminal)
  if (first === 'help') return print(explain(rest), terminal)
  const command = known(first)
  if (asksForHelp(rest)) return print(helpOf(command), terminal)
  const given =
    command.passesOn === true ? { flags: new Map(), positionals: rest } : readArguments(command, rest)
  return await command.run(given, terminal)
}

/** `help`, `help <command>`, or `help <command> --markdown`: the table of its options for the README. */
function explain([name, form]: readonly string[]): string[] {
  if (name === undefined) return overviewOf(COMMANDS)
  const command = known(name)
  return form === '--markdown' ? [markdownReference(command.options)] : helpOf(command)
}

/** Whether a command goes on when nobody reads its output any more. */
export function outlivesOutput(argv: readonly string[]): boolean {
  return find(argv[0])?.outlivesOutput ?? false
}

function asksForHelp(argv: readonly string[]): boolean {
  const end = argv.indexOf('--')
  return (end === -1 ? argv : argv.slice(0, end)).some(one => one === '--help' || one === '-h')
}

function find(name: string | undefined): Command | undefined {
  return COMMANDS.find(command => command.name === name)
}

function known(name: string): Command {
  const command = find(name)
  if (command !== undefined) return command
  const near = suggestion(name, [...COMMANDS.filter(({ hidden }) => !hidden).map(one => one.name), 'help'])
  const hint = near === undefined ? '' : ` Did you mean ${near}?`
  throw new Failure(
    `There is no command ${JSON.stringify(name)}.${hint} \`shoal help\` lists all commands.`,
    2
  )
}

function print(lines: readonly string[], terminal: Terminal): number {
  for (const line of lines) terminal.out(line)
  return 0
}
