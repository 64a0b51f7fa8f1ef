// A command of the `shoal` program: what it is called, what may be given to it, what it does.
import type { Layer, OptionTable } from '../../broker/options/index.ts'

/** What a command has of the world: its output, line by line, and the environment. */
export interface Terminal {
  out(line: string): void
  /** Bytes as they are, and a line feed. */
  outBytes(bytes: Uint8Array): void
  error(line: string): void
  readonly environment: Readonly<Record<string, string | undefined>>
}

export interface Arguments {
  readonly flags: Layer
  /** As many as the command has names for. */
  readonly positionals: readonly string[]
}

export interface Command {
  readonly name: string
  readonly summary: string
  /** What stands between the name and the options: `['<topic>']`; all are needed. */
  readonly positionals: readonly string[]
  readonly options: OptionTable
  /** Letters for options: `{ t: 'topic' }`. */
  readonly letters: Readonly<Record<string, string>>
  /** Whole command lines, for the help. */
  readonly examples: readonly string[]
  /** True for a server, which goes on when nobody reads its output any more. */
  readonly outlivesOutput: boolean
  /** True if all that follows its name is for another program: given as positionals, unread but for `--help`. */
  readonly passesOn?: boolean
  /** True for a command that is not for people. */
  readonly hidden: boolean
  /** Settles with the exit code. Throws `Failure` or OPTION_INVALID for what the user can mend. */
  run(given: Arguments, terminal: Terminal): Promise<number>
}
