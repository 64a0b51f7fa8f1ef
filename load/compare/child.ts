// A broker as a child process for one measurement: pinned to a core, and ended whatever happens to us.
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { cpus } from 'node:os'

const STOP_MS_MAX = 5_000
/** The end of a child's stderr that an error message quotes. */
const STDERR_CHARACTERS_MAX = 400

const TASKSET = '/usr/bin/taskset'

/** Whether processes can be kept to cores of their own. */
export const canPin = cpus().length > 1 && existsSync(TASKSET)

/** Keeps a command to cores, `1` or `1-3`, where that can be done. */
export function pinned(
  cores: number | string | undefined,
  command: string,
  args: readonly string[]
): [string, string[]] {
  if (cores === undefined || !canPin) return [command, [...args]]
  return [TASKSET, ['-c', String(cores), command, ...args]]
}

/** Children that must not outlive this process. */
const living = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of living) child.kill('SIGKILL')
})

export class Child {
  readonly command: string
  readonly #process: ChildProcess
  #stderr = ''

  /** `heard` is given what the child writes to stdout, which is thrown away without it. */
  constructor(
    core: number | undefined,
    command: string,
    args: readonly string[],
    heard?: (text: string) => void
  ) {
    this.command = [command, ...args].join(' ')
    const stdout = heard === undefined ? 'ignore' : 'pipe'
    this.#process = spawn(...pinned(core, command, args), { stdio: ['ignore', stdout, 'pipe'] })
    living.add(this.#process)
    this.#process.once('exit', () => living.delete(this.#process))
    this.#process.on('error', error => {
      this.#stderr += error.message
    })
    if (heard !== undefined) this.#process.stdout?.setEncoding('utf8').on('data', heard)
    this.#process.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-STDERR_CHARACTERS_MAX)
    })
  }

  get pid(): number {
    return this.#process.pid ?? 0
  }

  get ended(): boolean {
    return (
      this.#process.exitCode !== null || this.#process.signalCode !== null || this.#process.pid === undefined
    )
  }

  get stderr(): string {
    return this.#stderr
  }

  /** Asks the child to end; after a while, makes it. */
  async stop(): Promise<void> {
    if (this.ended) return
    const exited = new Promise<void>(resolve => this.#process.once('exit', () => resolve()))
    this.#process.kill('SIGTERM')
    const patience = setTimeout(() => this.#process.kill('SIGKILL'), STOP_MS_MAX)
    await exited
    clearTimeout(patience)
  }
}
