// A broker that runs as a child process for one measurement: started pinned to a core, awaited, and
// ended again whatever happened in between.
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { setTimeout as after } from 'node:timers/promises'
import { ShoalError } from '../../broker/errors.ts'

const START_MS_MAX = 15_000
const STOP_MS_MAX = 5_000
const LOOK_MS = 25

/** The end of a child's stderr that an error message quotes. */
const STDERR_CHARACTERS_MAX = 400

/** A running broker: where to connect, and which processes to account for. */
export interface StartedBroker {
  urls: string[]
  /** Where it speaks HTTP and WebSocket, if it does: `http://host:port`, in the order of `urls`. */
  webUrls?: string[]
  pids: number[]
  stop(): Promise<void>
}

/** A broker that a comparison knows. */
export interface BrokerKind {
  /** Its version, or undefined when it is not installed. */
  version(): string | undefined
  /** Starts it on free ports, pinned to `core` where one is given; resolves when it takes connections. */
  start(core: number | undefined): Promise<StartedBroker>
}

/** Puts `taskset` before a command where the system has it and more than one core. */
export function pinned(
  core: number | undefined,
  command: string,
  args: readonly string[]
): [string, string[]] {
  if (core === undefined || !existsSync('/usr/bin/taskset')) return [command, [...args]]
  return ['taskset', ['-c', String(core), command, ...args]]
}

/** A TCP port of loopback that was free a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.on('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })
}

function accepts(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect({ host: '127.0.0.1', port }, () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => resolve(false))
  })
}

/** Waits until `ready` says so. Rejects with `TIMEOUT`, or `PEER_GONE` when the child ends first. */
export async function awaitReady(child: Child, ready: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + START_MS_MAX
  while (!(await ready())) {
    if (child.ended) throw new ShoalError('PEER_GONE', { command: child.command, stderr: child.stderr })
    if (performance.now() > deadline)
      throw new ShoalError('TIMEOUT', { command: child.command, stderr: child.stderr })
    await after(LOOK_MS)
  }
}

/** Waits until a child listens on a port of loopback. */
export async function awaitPort(child: Child, port: number): Promise<void> {
  await awaitReady(child, () => accepts(port))
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

  constructor(core: number | undefined, command: string, args: readonly string[]) {
    this.command = [command, ...args].join(' ')
    this.#process = spawn(...pinned(core, command, args), { stdio: ['ignore', 'ignore', 'pipe'] })
    living.add(this.#process)
    this.#process.once('exit', () => living.delete(this.#process))
    this.#process.on('error', error => {
      this.#stderr += error.message
    })
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
