// A child process of a test: its output is collected and can be waited for line by line, and it is killed by
// its pid when the test ends, however that ends.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { withDeadline } from './deadline.ts'

export interface ChildOptions {
  /** Added to this process's environment. */
  env?: Readonly<Record<string, string>>
  cwd?: string
  /** Default `ignore`: an empty input. */
  stdin?: 'pipe' | 'ignore'
}

/** What a child does not outlive: a test (its `TestContext`), or a program's run. */
export interface Scope {
  after(run: () => void | Promise<void>): void
}

const ENDS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** What a child may print before the oldest lines are forgotten. */
const LINES_MAX = 100_000

export interface Line {
  text: string
  from: 'stdout' | 'stderr'
  /** Of `performance.now()`. */
  atMs: number
}

interface Waiter {
  pattern: RegExp
  found(match: RegExpMatchArray): void
}

export class Child {
  readonly name: string
  readonly process: ChildProcess
  /** All complete lines of both outputs, in the order of their arrival. */
  readonly lines: Line[] = []
  /** Called with each line as it comes, before it may be forgotten. */
  onLine: ((line: Line) => void) | null = null
  #waiters: Waiter[] = []
  readonly #exited: Promise<number | string>
  #ended = false

  constructor(name: string, process: ChildProcess) {
    this.name = name
    this.process = process
    this.#collect('stdout')
    this.#collect('stderr')
    this.#exited = new Promise((resolve, reject) => {
      process.once('error', reject)
      process.once('close', (code, signal) => {
        this.#ended = true
        resolve(code ?? signal ?? 'unknown')
      })
    })
    this.#exited.catch(() => {})
  }

  get pid(): number {
    return this.process.pid ?? 0
  }

  /** True once it has exited and all its output was read. */
  get ended(): boolean {
    return this.#ended
  }

  /** What it printed, for messages of failed tests. */
  get output(): string {
    return this.lines.map(line => line.text).join('\n')
  }

  /** The match of the first line, printed already or later, of either output. Rejects with the output so far. */
  async line(pattern: RegExp, withinMs = 15_000): Promise<RegExpMatchArray> {
    for (const { text } of this.lines) {
      const match = text.match(pattern)
      if (match !== null) return match
    }
    const waiter: Waiter = { pattern, found: () => {} }
    const found = new Promise<RegExpMatchArray>(resolve => {
      waiter.found = resolve
      this.#waiters.push(waiter)
    })
    const gone = this.#exited.then(code => {
      throw new Error(`${this.name} exited with ${code}`)
    })
    try {
      return await withDeadline(Promise.race([found, gone]), `a line ${pattern} of ${this.name}`, withinMs)
    } catch (cause) {
      throw new Error(`${this.name} did not print ${pattern}; its output:\n${this.output}`, { cause })
    } finally {
      this.#waiters = this.#waiters.filter(other => other !== waiter)
    }
  }

  /** The exit code, or the name of the signal. */
  exit(withinMs = 15_000): Promise<number | string> {
    return withDeadline(this.#exited, `the exit of ${this.name}`, withinMs)
  }

  signal(signal: NodeJS.Signals): void {
    this.process.kill(signal)
  }

  /** Kills it if it runs, also if it is stopped, and waits until it is gone. */
  async kill(): Promise<void> {
    if (this.process.pid === undefined || this.process.exitCode !== null || this.process.signalCode !== null)
      return
    const exit = once(this.process, 'exit')
    this.process.kill('SIGKILL')
    await withDeadline(exit, `the death of ${this.name}`)
  }

  #collect(from: 'stdout' | 'stderr'): void {
    const stream = this.process[from]
    if (stream === null) return
    let rest = ''
    stream.setEncoding('utf8')
    stream.on('data', (chunk: string) => {
      const texts = (rest + chunk).split('\n')
      rest = texts.pop()!
      for (const text of texts) this.#print({ text, from, atMs: performance.now() })
    })
    stream.on('end', () => {
      if (rest !== '') this.#print({ text: rest, from, atMs: performance.now() })
    })
  }

  #print(line: Line): void {
    this.lines.push(line)
    this.onLine?.(line)
    if (this.lines.length > LINES_MAX) this.lines.splice(0, LINES_MAX / 10)
    for (const waiter of this.#waiters) {
      const match = line.text.match(waiter.pattern)
      if (match !== null) waiter.found(match)
    }
  }
}

/** Starts a program that lives as long as the scope at most. */
export function startProgram(
  scope: Scope,
  program: string,
  args: readonly string[],
  options: ChildOptions = {}
): Child {
  const child = spawn(program, args, {
    env: { ...process.env, ...options.env },
    stdio: [options.stdin ?? 'ignore', 'pipe', 'pipe'],
    ...(options.cwd === undefined ? {} : { cwd: options.cwd })
  })
  const started = new Child(program, child)
  takeAlong(child)
  scope.after(() => started.kill())
  return started
}

/** Starts a script with this very Node. */
export function startNode(
  scope: Scope,
  script: string,
  args: readonly string[] = [],
  options: ChildOptions = {}
): Child {
  return startProgram(scope, process.execPath, [script, ...args], options)
}

const living = new Set<ChildProcess>()

/** A process that is told to end, or fails outright, has no time for `after`: its children end with it all the same. */
function takeAlong(child: ChildProcess): void {
  if (living.size === 0) {
    process.on('exit', killLiving)
    for (const signal of ENDS) process.on(signal, endBySignal)
  }
  living.add(child)
  child.once('exit', () => {
    living.delete(child)
    if (living.size > 0) return
    process.off('exit', killLiving)
    for (const signal of ENDS) process.off(signal, endBySignal)
  })
}

function killLiving(): void {
  for (const child of living) child.kill('SIGKILL')
}

function endBySignal(_signal: NodeJS.Signals, number: number): void {
  process.exit(128 + number)
}
