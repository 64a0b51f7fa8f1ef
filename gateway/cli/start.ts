// `shoal start`: one node in this process, or several as workers, until a signal stops it.
import { type Config, OPTIONS } from '../../broker/config.ts'
import type { Log } from '../../broker/runtime/log.ts'
import { Workers, workersOf } from '../workers/workers.ts'
import { exitOnBugs } from './bugs.ts'
import { ClusterSecrets } from './cluster-secrets.ts'
import type { Arguments, Command, Terminal } from './command.ts'
import { createLog } from './log.ts'
import { type NodeAddresses, RunningNode } from './node.ts'
import { CONFIG_OPTION, loadConfig } from './option-file.ts'
import { SIGNALS_BUT_HUP, StopSignals } from './signals.ts'

/** Beyond `closeTimeoutMs`, for what takes part of a second by itself. */
const CLOSE_GRACE_MS = 500

const command = {
  positionals: [],
  options: { ...CONFIG_OPTION, ...OPTIONS },
  letters: {},
  outlivesOutput: true
} as const

export const start: Command = {
  ...command,
  name: 'start',
  summary: 'Starts a node: the first of a cluster, or, with --base, one more.',
  examples: [
    'shoal start',
    'shoal start --mqtt-port 1884 --http-port 8081 --cluster-port 7980 --base 127.0.0.1:7979',
    'shoal start --config shoal.yaml --log-format json'
  ],
  hidden: false,
  run: ({ flags }, terminal) => runNode(loadConfig(flags, terminal.environment), terminal, null)
}

/** What a node of `shoal cluster` tells the process that started it. */
export interface Ready {
  readonly ready: NodeAddresses
}

/** `start` under `shoal cluster`: tells its parent where it listens, and stops when the parent is gone. */
export const clusterNode: Command = {
  ...command,
  name: 'cluster-node',
  summary: 'Starts a node for `shoal cluster`.',
  examples: [],
  hidden: true,
  run: ({ flags }: Arguments, terminal: Terminal) => {
    const parent = new Promise<void>(resolve => process.once('disconnect', resolve))
    return runNode(loadConfig(flags, terminal.environment), terminal, parent)
  }
}

/** What runs in this process: one node, or several. */
interface Running {
  readonly addresses: NodeAddresses
  readonly members: number
  /** Cluster addresses of the workers; none if there is one node only. */
  readonly workers: readonly string[]
  /** Reads keys and certificates again. */
  reload(): void
  close(): Promise<void>
  /** Makes ready for an end of the process that does not wait for `close`. */
  halt(): Promise<void>
}

/** Settles with the exit code when all nodes of the process have stopped. `parentGone` is null without a parent to tell. */
async function runNode(
  config: Config,
  terminal: Terminal,
  parentGone: Promise<void> | null
): Promise<number> {
  const log = createLog(config)
  const secrets = new ClusterSecrets(config)
  let workers: Workers | null = null
  const exit = (code: number): void => {
    void (workers?.halt() ?? Promise.resolve()).then(() => process.exit(code))
  }
  exitOnBugs(log, () => exit(1))
  const signals = new StopSignals(
    process,
    () => performance.now(),
    exit,
    secrets.hasFiles ? SIGNALS_BUT_HUP : undefined
  )
  const asked =
    parentGone === null ? signals.first : Promise.race([signals.first, parentGone.then(() => 'disconnect')])
  let isAsked = false
  void asked.then(() => {
    isAsked = true
  })
  let running: Running | null = null
  if (secrets.hasFiles) {
    process.on('SIGHUP', () => {
      if (running === null) secrets.reload(log)
      else running.reload()
    })
  }
  try {
    const count = workersOf(config)
    if (count === 1) running = await runAlone(config, secrets, log, asked)
    else {
      workers = new Workers(config, count, (worker, reason) => {
        log.error({ worker, ...reason }, 'worker failed, exiting')
        exit(1)
      })
      running = await runWorkers(workers, config, asked)
    }
  } catch (error) {
    if (isAsked) return 0
    throw error
  }
  announce(running, config, log, terminal)
  if (parentGone !== null) process.send?.({ ready: running.addresses } satisfies Ready)
  log.info({ reason: await asked }, 'stopping')
  return await close(running, config.closeTimeoutMs, log)
}

async function runAlone(
  config: Config,
  secrets: ClusterSecrets,
  log: Log,
  asked: Promise<unknown>
): Promise<Running> {
  const node = await RunningNode.start(config, secrets, log, asked)
  return {
    addresses: node.addresses,
    members: node.broker.status().members.length,
    workers: [],
    reload: () => secrets.reload(log),
    close: () => node.close(),
    halt: async () => {}
  }
}

async function runWorkers(workers: Workers, config: Config, asked: Promise<unknown>): Promise<Running> {
  await workers.start(config.base, asked)
  const { addresses, members, nodes } = workers
  return {
    addresses,
    members,
    workers: nodes,
    reload: () => workers.reload(),
    close: () => workers.close(),
    halt: () => workers.halt()
  }
}

function announce(
  { addresses, members, workers }: Running,
  config: Config,
  log: Log,
  terminal: Terminal
): void {
  if (config.logFormat === 'json') {
    log.info({ ...addresses, members, ...(workers.length > 0 ? { workers } : {}) }, 'listening')
    return
  }
  if (addresses.mqtt !== null) terminal.out(`MQTT listening on ${addresses.mqtt}`)
  if (addresses.http !== null) terminal.out(`WebSocket and HTTP listening on ${addresses.http}`)
  terminal.out(`cluster ${addresses.cluster}, members ${members}`)
  if (workers.length > 0) terminal.out(`workers ${workers.join(' ')}`)
}

async function close(running: Running, timeoutMs: number, log: Log): Promise<number> {
  const late = new Promise<'late'>(resolve => setTimeout(resolve, timeoutMs + CLOSE_GRACE_MS, 'late').unref())
  const inTime = (await Promise.race([running.close(), late])) !== 'late'
  if (inTime) {
    log.info({}, 'stopped')
    return 0
  }
  log.error({ timeoutMs }, 'not stopped in time, exiting')
  await running.halt()
  return 1
}
