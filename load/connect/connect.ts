// The connect scenario: opens many idle connections, holds them, reopens some, and reads what that
// cost the broker: CPU time and memory for each.
import { randomBytes } from 'node:crypto'
import { setTimeout as after } from 'node:timers/promises'
import { Board } from '../board.ts'
import { commandLine } from '../command.ts'
import { bucketUs, summarise } from '../latency.ts'
import { describeMachine } from '../machine.ts'
import type { LoadOptions } from '../options.ts'
import { connectsPerSecond, cpuPercent, pointOf, type Reading, read } from './readings.ts'
import type { ConnectPoint, ConnectResult } from './result.ts'
import { Threads } from './threads.ts'

/** How long the broker gets to settle before its memory is read. */
const SETTLE_MS = 500
/** Between two points of the course, and how many points a long run has, about. */
const LOOK_MS_LEAST = 250
const LOOKS_MAX = 1_000

export type ConnectPhase = 'ramp' | 'hold' | 'churn'

/** Hears how a run goes: a point each quarter of a second, of long runs seldomer. */
export type ConnectProgress = (point: ConnectPoint, phase: ConnectPhase) => void

/** What was read between the phases. */
interface Readings {
  before: Reading
  ramped: Reading
  settled: Reading
  held: Reading
  churned: Reading | undefined
  /** Distribution of the times to CONNACK of the ramp. */
  latencies: Float64Array
  timeline: ConnectPoint[]
}

/** Runs the scenario once. Rejects when a connection is refused; one that ends later is counted. */
export async function connectRun(options: LoadOptions, progress: ConnectProgress): Promise<ConnectResult> {
  const board = new Board(options.threads, 1)
  const threads = new Threads(tasksOf(options, board))
  try {
    const readings = await lead(options, board, threads, progress)
    await threads.ask('finish', 'finished')
    return conclude(options, board, threads.errors, readings)
  } finally {
    await threads.end()
  }
}

function tasksOf(options: LoadOptions, board: Board) {
  const runId = randomBytes(4).toString('hex')
  const plans = Array.from({ length: options.connections }, (_, i) => ({
    clientId: `${runId}-c${i}`,
    url: options.publishTo[i % options.publishTo.length]!
  }))
  return Array.from({ length: options.threads }, (_, thread) => ({
    thread,
    threads: options.threads,
    memory: board.memory,
    clients: plans.filter((_, i) => i % options.threads === thread),
    options
  }))
}

/** Leads the threads through ramp, hold and churn. */
async function lead(
  options: LoadOptions,
  board: Board,
  threads: Threads,
  progress: ConnectProgress
): Promise<Readings> {
  let phase: ConnectPhase = 'ramp'
  const before = read(board, options.pids)
  let last = before
  const timeline: ConnectPoint[] = []
  const look = () => read(board, options.pids)
  const looking = setInterval(
    () => {
      const reading = look()
      const point = pointOf(before, last, reading)
      timeline.push(point)
      progress(point, phase)
      last = reading
    },
    Math.max(LOOK_MS_LEAST, (options.holdMs + options.churnMs) / LOOKS_MAX)
  )
  try {
    await threads.ask('ramp', 'ramped')
    const latencies = board.distribution('latencies')
    const ramped = look()
    phase = 'hold'
    await after(SETTLE_MS)
    const settled = look()
    await after(options.holdMs)
    const held = look()
    let churned: Reading | undefined
    if (options.churnMs > 0) {
      phase = 'churn'
      threads.tell('churn')
      await after(options.churnMs)
      churned = look()
      threads.tell('stop')
      await after(SETTLE_MS)
    }
    return { before, ramped, settled, held, churned, latencies, timeline }
  } finally {
    clearInterval(looking)
  }
}

function conclude(options: LoadOptions, board: Board, errors: string[], readings: Readings): ConnectResult {
  const { before, ramped, settled, held, churned, latencies, timeline } = readings
  const watched = options.pids.length > 0
  const { connections } = options
  const churns = churned === undefined ? 0 : churned.connected - held.connected
  return {
    scenario: 'connect',
    title: `${connections} idle connections`,
    command: commandLine(),
    date: new Date().toISOString(),
    machine: describeMachine(),
    connections,
    connectsPerSecond: connectsPerSecond(before, ramped),
    connectLatency: summarise(latencies),
    distribution: [...latencies]
      .map((count, bucket): [number, number] => [bucketUs(bucket), count])
      .filter(([, count]) => count > 0),
    cpuUsPerConnect: watched ? (settled.cpuUs - before.cpuUs) / connections : undefined,
    kibPerConnection: watched ? (held.rssKib - before.rssKib) / connections : undefined,
    idleCpuPercent: watched && options.holdMs > 0 ? cpuPercent(settled, held) : undefined,
    othersCpuPercent: watched
      ? Math.max(0, (ramped.othersCpuUs - before.othersCpuUs) / (ramped.atMs - before.atMs) / 10)
      : undefined,
    churnedPerSecond: churned && connectsPerSecond(held, churned),
    cpuUsPerChurn: watched && churned && churns > 0 ? (churned.cpuUs - held.cpuUs) / churns : undefined,
    timeline,
    lost: board.total('disconnected'),
    errors
  }
}
