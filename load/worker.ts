// A thread of the generator: connects its share of the clients, then publishes and receives until it
// is told to stop. Figures go to the shared board; only milestones are messages.
import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import { Board } from './board.ts'
import type { LoadClient } from './client.ts'
import { createClient, createRing } from './clients.ts'
import { Driver } from './driver.ts'
import { Intake } from './intake.ts'
import { Ledger } from './ledger.ts'
import type { LoadOptions } from './options.ts'
import type { ClientPlan } from './plan.ts'
import { Publisher } from './publisher.ts'

/** What the main thread gives a worker. */
export interface WorkerTask {
  thread: number
  threads: number
  streams: number
  memory: SharedArrayBuffer
  clients: ClientPlan[]
  options: LoadOptions
  /** Open loop: µs between two messages of this thread. 0 means closed loop. */
  intervalUs: number
  /** Ports to the other threads by number; empty when deliveries stay in their thread. */
  peers: (MessagePort | undefined)[]
}

export type WorkerCommand = 'start' | 'forgive' | 'stop' | 'finish'
export type WorkerNews =
  | { event: 'ready' | 'finished' }
  | { event: 'failed'; message: string }
  | { event: 'lost'; clientId: string; message: string }

/** Handshakes open at once in a thread. */
const HANDSHAKES_MAX = 50
/** Room for what surrounds a payload: topic, header, properties that a broker adds. */
const SURROUNDINGS_BYTES_MAX = 1_024
/** Room for packets that are not of this run, and for those that are not PUBLISH. */
const PACKET_BYTES_LEAST = 64 * 1024

async function connectAll(task: WorkerTask, driver: Driver, tell: (news: WorkerNews) => void) {
  const { options, thread, streams } = task
  const board = new Board(task.threads, streams, task.memory)
  const row = board.rows[thread]!
  const intake = new Intake(Math.max(options.payloadBytes + SURROUNDINGS_BYTES_MAX, PACKET_BYTES_LEAST))
  const clients: LoadClient[] = []
  const events = { received: () => driver.wake(), drained: () => driver.wake() }
  const open = async (plan: ClientPlan): Promise<void> => {
    const client = createClient(plan, options, intake, row, {
      ...events,
      lost: error => tell({ event: 'lost', clientId: plan.clientId, message: error.message })
    })
    clients.push(client)
    await client.connect()
    if (plan.subscribe !== undefined) {
      const { filter, firstStream, streams: expected } = plan.subscribe
      await client.subscribe(filter, options.qos, new Ledger(row, firstStream, expected))
    }
    if (plan.publish === undefined) return
    const { window, qos } = options
    const windowMost = qos === 0 ? window : Math.min(window, client.receiveMaximum)
    const batch = Math.min(options.batch, windowMost)
    const ring = createRing(plan.url, plan.publish, options, batch)
    const intervalUs = task.intervalUs * publishersOf(task)
    const publishing = { ...plan.publish, window: windowMost, batch, qos, intervalUs }
    driver.publishers.push(new Publisher(client, ring, publishing, board, row))
  }
  const waiting = [...task.clients].reverse()
  const lane = async () => {
    for (let plan = waiting.pop(); plan !== undefined; plan = waiting.pop()) await open(plan)
  }
  await Promise.all(Array.from({ length: HANDSHAKES_MAX }, lane))
  return { board, clients }
}

function publishersOf(task: WorkerTask): number {
  return task.clients.reduce((count, client) => count + (client.publish === undefined ? 0 : 1), 0)
}

async function work(task: WorkerTask, port: MessagePort): Promise<void> {
  const tell = (news: WorkerNews): void => port.postMessage(news)
  const { thread, peers, intervalUs } = task
  const board = new Board(task.threads, task.streams, task.memory)
  const driver = new Driver({ board, thread, peers, intervalUs })
  const { clients } = await connectAll(task, driver, tell)
  const commands: Record<WorkerCommand, () => void> = {
    start: () => driver.start(),
    forgive: () => driver.forgive(),
    stop: () => driver.stop(),
    finish: () => {
      for (const client of clients) {
        client.ledger?.close(board.published)
        client.close()
      }
      for (const peer of peers) peer?.close()
      tell({ event: 'finished' })
      port.close()
    }
  }
  port.on('message', (command: WorkerCommand) => commands[command]())
  tell({ event: 'ready' })
}

const port = parentPort
if (port !== null) {
  work(workerData as WorkerTask, port).catch((error: unknown) => {
    port.postMessage({ event: 'failed', message: error instanceof Error ? error.message : String(error) })
    port.close()
  })
}
