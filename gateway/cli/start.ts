// `shoal start`: one node in this process, until a signal stops it.
import { type Config, OPTIONS } from '../../broker/config.ts'
import type { Log } from '../../broker/runtime/log.ts'
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

/** Settles with the exit code when the node has stopped. `parentGone` is null without a parent to tell. */
async function runNode(
  config: Config,
  terminal: Terminal,
  parentGone: Promise<void> | null
): Promise<number> {
  const log = createLog(config)
  const secrets = new ClusterSecrets(config)
  exitOnBugs(log)
  const signals = new StopSignals(
    process,
    () => performance.now(),
    code => process.exit(code),
    secrets.hasFiles ? SIGNALS_BUT_HUP : undefined
  )
  if (secrets.hasFiles) process.on('SIGHUP', () => secrets.reload(log))
  const asked =
    parentGone === null ? signals.first : Promise.race([signals.first, parentGone.then(() => 'disconnect')])
  let isAsked = false
  void asked.then(() => {
    isAsked = true
  })
  let node: RunningNode
  try {
    node = await RunningNode.start(config, secrets, log, asked)
  } catch (error) {
    if (isAsked) return 0
    throw error
  }
  announce(node, config, log, terminal)
  if (parentGone !== null) process.send?.({ ready: node.addresses } satisfies Ready)
  log.info({ reason: await asked }, 'stopping')
  return await close(node, config.closeTimeoutMs, log)
}

function announce({ broker, addresses }: RunningNode, config: Config, log: Log, terminal: Terminal): void {
  const members = broker.status().members.length
  if (config.logFormat === 'json') {
    log.info({ ...addresses, members }, 'listening')
    return
  }
  if (addresses.mqtt !== null) terminal.out(`MQTT listening on ${addresses.mqtt}`)
  if (addresses.http !== null) terminal.out(`WebSocket and HTTP listening on ${addresses.http}`)
  terminal.out(`cluster ${addresses.cluster}, members ${members}`)
}

async function close(node: RunningNode, timeoutMs: number, log: Log): Promise<number> {
  const late = new Promise<'late'>(resolve => setTimeout(resolve, timeoutMs + CLOSE_GRACE_MS, 'late').unref())
  const inTime = (await Promise.race([node.close(), late])) !== 'late'
  if (inTime) log.info({}, 'stopped')
  else log.error({ timeoutMs }, 'not stopped in time, exiting')
  return inTime ? 0 : 1
}

/** After an exception that nobody expected, no state can be trusted: the node ends, and the others take over. */
function exitOnBugs(log: Log): void {
  process.on('uncaughtException', error => {
    log.error({ err: error }, 'uncaught exception, exiting')
    process.exit(1)
  })
}
