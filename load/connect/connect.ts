// The connect scenario: opens many idle connections, holds them, reopens some, and reads what that
// cost the broker: CPU time and memory for each.
import { randomBytes } from 'node:crypto'
import { setTimeout as after } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { ShoalError } from '../../broker/errors.ts'
import { Board } from '../board.ts'
import { commandLine } from '../command.ts'
import { type LatencySummary, summarise } from '../latency.ts'
import { describeMachine, type Machine } from '../machine.ts'
import type { LoadOptions } from '../options.ts'
import { machineCpuUs, type Usage, usageOf } from '../processes.ts'
import type { ConnectCommand, ConnectNews, ConnectTask } from './worker.ts'

/** How long the broker gets to settle before its memory is read. */
const SETTLE_MS = 500

export interface ConnectResult {
  scenario: 'connect'
  title: string
  command: string
  date: string
  machine: Machine
  connections: number
  connectsPerSecond: number
  /** From opening the socket to CONNACK. */
  connectLatency: LatencySummary
  /** Brokers' CPU time for one connect; undefined without --pid. */
  cpuUsPerConnect: number | undefined
  kibPerConnection: number | undefined
  /** Of one core, while all connections were idle. */
  idleCpuPercent: number | undefined
  /** What neither brokers nor generator took of the machine while it connected, percent of one core. */
  othersCpuPercent: number | undefined
  churnedPerSecond: number | undefined
  cpuUsPerChurn: number | undefined
  /** Connections that ended by themselves. */
  lost: number
  errors: string[]
}

interface Reading {
  atMs: number
  connected: number
  cpuUs: number
  rssKib: number
  /** Of the machine without brokers and generator. */
  othersCpuUs: number
}

function read(board: Board, pids: readonly number[]): Reading {
  const usage = usageOf(pids)
  const sum = (figure: (one: Usage) => number) => usage.reduce((total, one) => total + figure(one), 0)
  const cpuUs = sum(one => one.userUs + one.systemUs)
  const { user, system } = process.cpuUsage()
  return {
    atMs: performance.now(),
    connected: board.total('connected'),
    cpuUs,
    rssKib: sum(one => one.rssKib),
    othersCpuUs: machineCpuUs() - cpuUs - user - system
  }
}

/** The threads that hold the connections. */
class Threads {
  readonly errors: string[] = []
  readonly #workers: Worker[]
  #fail: (error: Error) => void = () => {}

  constructor(tasks: readonly ConnectTask[]) {
    this.#workers = tasks.map(
      workerData => new Worker(new URL('./worker.js', import.meta.url), { workerData })
    )
    for (const worker of this.#workers) {
      worker.on('error', error => this.#fail(error))
      worker.on('message', (news: ConnectNews) => {
        if (news.event === 'failed') this.#fail(new ShoalError('PEER_GONE', { why: news.message }))
        if (news.event === 'lost' && this.errors.length < 20) this.errors.push(news.message)
      })
    }
  }

  tell(command: ConnectCommand): void {
    for (const worker of this.#workers) worker.postMessage(command)
  }

  /** Tells all threads, and settles when each has said `event`. Rejects with the first failure. */
  async ask(command: ConnectCommand, event: ConnectNews['event']): Promise<void> {
    const answers = this.#workers.map(
      worker =>
        new Promise<void>(resolve => {
          const listen = (news: ConnectNews) => {
            if (news.event !== event) return
            worker.off('message', listen)
            resolve()
          }
          worker.on('message', listen)
        })
    )
    const failed = new Promise<never>((_, reject) => {
      this.#fail = reject
    })
    this.tell(command)
    await Promise.race([Promise.all(answers), failed])
  }

  async end(): Promise<void> {
    await Promise.all(this.#workers.map(worker => worker.terminate()))
  }
}

/** Runs the scenario once. Rejects when a connection is refused; one that ends later is counted. */
export async function connectRun(options: LoadOptions, tell: (line: string) => void): Promise<ConnectResult> {
  const runId = randomBytes(4).toString('hex')
  const board = new Board(options.threads, 1)
  const all = Array.from({ length: options.connections }, (_, i) => `${runId}-c${i}`)
  const threads = new Threads(
    Array.from({ length: options.threads }, (_, thread) => ({
      thread,
      threads: options.threads,
      memory: board.memory,
      clientIds: all.filter((_, i) => i % options.threads === thread),
      urls: options.publishTo,
      options
    }))
  )
  try {
    const before = read(board, options.pids)
    await threads.ask('ramp', 'ramped')
    const ramped = read(board, options.pids)
    const connectLatency = summarise(board.distribution('latencies'))
    tell(`${ramped.connected} connected in ${((ramped.atMs - before.atMs) / 1_000).toFixed(2)} s`)
    await after(SETTLE_MS)
    const settled = read(board, options.pids)
    await after(options.holdMs)
    const held = read(board, options.pids)
    let churned: Reading | undefined
    if (options.churnMs > 0) {
      threads.tell('churn')
      await after(options.churnMs)
      churned = read(board, options.pids)
      threads.tell('stop')
      await after(SETTLE_MS)
    }
    await threads.ask('finish', 'finished')
    return conclude(
      options,
      board,
      threads.errors,
      { before, ramped, settled, held, churned },
      connectLatency
    )
  } finally {
    await threads.end()
  }
}

interface Readings {
  before: Reading
  ramped: Reading
  settled: Reading
  held: Reading
  churned: Reading | undefined
}

function conclude(
  options: LoadOptions,
  board: Board,
  errors: string[],
  { before, ramped, settled, held, churned }: Readings,
  connectLatency: LatencySummary
): ConnectResult {
  const watched = options.pids.length > 0
  const { connections } = options
  const perSecond = (from: Reading, to: Reading) =>
    ((to.connected - from.connected) / (to.atMs - from.atMs)) * 1_000
  const churns = churned === undefined ? 0 : churned.connected - held.connected
  return {
    scenario: 'connect',
    title: `${connections} idle connections`,
    command: commandLine(),
    date: new Date().toISOString(),
    machine: describeMachine(),
    connections,
    connectsPerSecond: perSecond(before, ramped),
    connectLatency,
    cpuUsPerConnect: watched ? (settled.cpuUs - before.cpuUs) / connections : undefined,
    kibPerConnection: watched ? (held.rssKib - before.rssKib) / connections : undefined,
    idleCpuPercent:
      watched && options.holdMs > 0
        ? (held.cpuUs - settled.cpuUs) / (held.atMs - settled.atMs) / 10
        : undefined,
    othersCpuPercent: watched
      ? Math.max(0, (ramped.othersCpuUs - before.othersCpuUs) / (ramped.atMs - before.atMs) / 10)
      : undefined,
    churnedPerSecond: churned && perSecond(held, churned),
    cpuUsPerChurn: watched && churned && churns > 0 ? (churned.cpuUs - held.cpuUs) / churns : undefined,
    lost: board.total('disconnected'),
    errors
  }
}
