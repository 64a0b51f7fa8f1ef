// A broker that runs for one measurement: one process or several, started on free ports of loopback, awaited
// until clients are let in, and ended again whatever happened in between.
import { connect, createServer } from 'node:net'
import { setTimeout as after } from 'node:timers/promises'
import { ShoalError } from '../../broker/errors.ts'
import { connectPacket } from '../mqtt/packets.ts'
import type { Child } from './child.ts'

const START_MS_MAX = 30_000
const LOOK_MS = 25
/** A broker that lets nobody in for so long is asked again. */
const ANSWER_MS_MAX = 2_000
const CONNACK_ACCEPTED = [0x20, 2, 0, 0]

/** A running broker: where to connect, and which processes to account for. */
export interface StartedBroker {
  /** Where it speaks MQTT. */
  urls: string[]
  /** Where it speaks HTTP and WebSocket, if it does: `http://host:port`, in the order of `urls`. */
  webUrls?: string[]
  pids: number[]
  stop(): Promise<void>
}

/** What rows of a comparison speak to brokers. */
export type Speech = 'mqtt' | 'browser'

/** A broker that a comparison knows. */
export interface BrokerKind {
  /** Rows that speak something else leave it out. MQTT alone unless told. */
  speaks?: readonly Speech[]
  /** The broker that this is a cluster of: compared with `--cluster`, or by its name. */
  clusterOf?: 'shoal' | 'nats' | 'aedes'
  /** Its version, or undefined when it is not installed. */
  version(): string | undefined
  /** Starts it on free ports, pinned to `core` where one is given; resolves when it takes connections. */
  start(core: number | undefined): Promise<StartedBroker>
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

/** Whether an MQTT client is let in: some listen before they can. */
function welcomes(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect({ host: '127.0.0.1', port }, () => socket.write(connectPacket('probe', 4, {})))
    socket.setTimeout(ANSWER_MS_MAX, () => socket.destroy())
    socket.on('error', () => {})
    socket.on('data', answer => {
      resolve(CONNACK_ACCEPTED.every((byte, i) => answer[i] === byte))
      socket.destroy()
    })
    socket.on('close', () => resolve(false))
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

/** A process of a broker that speaks MQTT on a port of loopback. */
export interface MqttProcess {
  child: Child
  port: number
}

/**
 * Processes that are one broker, once each lets clients in. `others` belong to it without speaking MQTT. When one does
 * not come up, and at `stop`, all are ended and then `cleanUp` is called.
 */
export async function started(
  processes: readonly MqttProcess[],
  cleanUp: () => void = () => {},
  others: readonly Child[] = []
): Promise<StartedBroker> {
  const children = [...processes.map(({ child }) => child), ...others]
  const stop = async () => {
    await Promise.all(children.map(child => child.stop()))
    cleanUp()
  }
  try {
    for (const { child, port } of processes) await awaitReady(child, () => welcomes(port))
  } catch (error) {
    await stop()
    throw error
  }
  return {
    urls: processes.map(({ port }) => `mqtt://127.0.0.1:${port}`),
    pids: children.map(child => child.pid),
    stop
  }
}
