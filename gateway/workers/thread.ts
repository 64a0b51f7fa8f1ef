// What runs in a worker: a whole node, started and stopped as the main thread says.
import { parentPort, workerData } from 'node:worker_threads'
import type { Config } from '../../broker/config.ts'
import { ShoalError } from '../../broker/errors.ts'
import type { Log } from '../../broker/runtime/log.ts'
import { exitOnBugs } from '../cli/bugs.ts'
import { ClusterSecrets } from '../cli/cluster-secrets.ts'
import { Failure } from '../cli/failure.ts'
import { createLog } from '../cli/log.ts'
import { type Neighbours, RunningNode } from '../cli/node.ts'
import { Gatherer } from './gatherer.ts'
import { LocalNetwork } from './local-network.ts'
import type { FromWorker, OpenPorts, ToWorker, WorkerParts } from './messages.ts'
import { Turns } from './turns.ts'

/** How often the others are told of connections that were closed. */
const COUNT_MS = 200

const main = parentPort!
const { index, config, folder, turns: memory } = workerData as WorkerParts
const log: Log = createLog(config).child({ worker: index })
const turns = new Turns(memory, index)
const gatherer = new Gatherer(() => tell({ type: 'gather' }))

let secrets: ClusterSecrets | null = null
let node: RunningNode | null = null
let starting: Promise<void> = Promise.resolve()
let stop: () => void = () => {}
const stopped = new Promise<void>(resolve => {
  stop = resolve
})

exitOnBugs(log, () => tell({ type: 'lost' }))
main.on('message', (message: ToWorker) => {
  if (message.type === 'start') starting = start(message.base, message.open)
  else if (message.type === 'stop') void close()
  else if (message.type === 'halt') halt()
  else if (message.type === 'reload') secrets?.reload(log)
  else if (message.type === 'gathered') gatherer.gathered(message.figures)
  else tell({ type: 'figures', id: message.id, figures: node?.figures() ?? null })
})

async function start(base: readonly string[], open: OpenPorts | null): Promise<void> {
  const mqtt = {
    fd: open?.mqttFd ?? null,
    accepted: (connections: number): void => turns.taken(connections)
  }
  const neighbours: Neighbours = {
    network: (beneath, host) => new LocalNetwork({ beneath, folder, host }),
    mqtt,
    haveOpened: open !== null,
    gather: own => gatherer.gather(own)
  }
  const opened = open === null ? {} : { mqttPort: open.mqttPort, httpPort: open.httpPort }
  const own: Config = { ...config, ...opened, base }
  try {
    secrets = new ClusterSecrets(own)
    node = await RunningNode.start(own, secrets, log, stopped, neighbours)
  } catch (error) {
    return tell(failureOf(error))
  }
  turns.count(node.connections)
  setInterval(() => turns.count(node?.connections ?? 0), COUNT_MS).unref()
  const { addresses, broker } = node
  tell({
    type: 'serving',
    addresses,
    open: { ...node.ports, mqttFd: mqtt.fd },
    members: broker.status().members.length
  })
}

/** The thread stays, idle, until the process ends. */
async function close(): Promise<void> {
  stop()
  turns.leave()
  await starting
  await node?.close()
  node = null
  tell({ type: 'stopped' })
}

/**
 * Closes what the end of a thread would stumble over, and then stands still: whoever comes to its end first closes the
 * socket that all accept from, and no event loop may be looking at it then.
 */
function halt(): void {
  stop()
  node?.halt()
  node = null
  // What is closed now is gone when the loop has gone round.
  setTimeout(() => {
    tell({ type: 'halted' })
    Atomics.wait(new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT)), 0, 0)
  }, 0)
}

function failureOf(error: unknown): FromWorker {
  if (error instanceof Failure) return { type: 'failed', sentence: error.message, exitCode: error.exitCode }
  if (error instanceof ShoalError)
    return { type: 'failed', sentence: `${error.message} (${error.code}).`, exitCode: 1 }
  return { type: 'broken', error: error instanceof Error ? error : new Error(String(error)) }
}

function tell(message: FromWorker): void {
  main.postMessage(message)
}
