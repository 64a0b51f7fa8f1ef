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
import type { ClientPlan, PublishPlan } from './plan.ts'
import { Publisher } from './publisher.ts'
import type { StampKind } from './stamp.ts'

/** What the main thread gives a worker. */
export interface WorkerTask {
  thread: number
  threads: number
  streams: number
  memory: SharedArrayBuffer
  clients: ClientPlan[]
  options: LoadOptions
  stamp: StampKind
  /** By pace of the plan: µs between two messages of this thread's publishers that keep it. */
  intervalsUs: number[]
  /** Ports to the other threads by number; empty when deliveries stay in their thread. */
  peers: (MessagePort | undefined)[]
}

export type WorkerCommand = 'start' | 'forgive' | 'stop' | 'finish'
export type WorkerNews =
  | { event: 'ready' | 'finished' }
  | { event: 'failed'; message: string }
  | { event: 'lost' | 'refused'; clientId: string; message: string }

/** Handshakes open at once in a thread. */
const HANDSHAKES_MAX = 50
/** Room for what surrounds a payload: topic, header, properties that a broker adds. */
const SURROUNDINGS_BYTES_MAX = 1_024
/** Room for packets that are not of this run, and for those that are not PUBLISH. */
const PACKET_BYTES_LEAST = 64 * 1024

/** Connects, subscribes and makes publishers of a thread's clients. */
async function connectAll(task: WorkerTask, board: Board, driver: Driver, tell: (news: WorkerNews) => void) {
  const { options, thread, stamp } = task
  const row = board.rows[thread]!
  const intake = new Intake(longestPacket(task))
  const clients: LoadClient[] = []
  const events = { received: () => driver.wake(), drained: () => driver.wake() }
  const open = async (plan: ClientPlan): Promise<void> => {
    const { clientId } = plan
    const client = createClient(plan, options, stamp, intake, row, {
      ...events,
      refused: ({ message }) => tell({ event: 'refused', clientId, message }),
      lost: ({ message }) => tell({ event: 'lost', clientId, message })
    })
    clients.push(client)
    await client.connect()
    if (plan.subscribe !== undefined) {
      const { filter, qos, firstStream, streams } = plan.subscribe
      await client.subscribe(filter, qos, new Ledger(row, firstStream, streams))
    }
    if (plan.publish !== undefined) {
      driver.add(createPublisher(plan, plan.publish, client, task, board), plan.publish.pace)
    }
  }
  const waiting = [...task.clients].reverse()
  const lane = async () => {
    for (let plan = waiting.pop(); plan !== undefined; plan = waiting.pop()) await open(plan)
  }
  await Promise.all(Array.from({ length: HANDSHAKES_MAX }, lane))
  return clients
}

function longestPacket({ clients }: WorkerTask): number {
  const payloads = clients.map(
    ({ subscribe, publish }) => subscribe?.payloadBytesMax ?? publish?.payloadBytes ?? 0
  )
  return Math.max(PACKET_BYTES_LEAST, payloads.reduce((a, b) => Math.max(a, b), 0) + SURROUNDINGS_BYTES_MAX)
}

function createPublisher(
  { url }: ClientPlan,
  publish: PublishPlan,
  client: LoadClient,
  { thread, clients, options, stamp, intervalsUs }: WorkerTask,
  board: Board
): Publisher {
  const { qos, pace } = publish
  const window = qos === 0 ? publish.window : Math.min(publish.window, client.receiveMaximum)
  const batch = Math.min(publish.batch, window)
  const ring = createRing(url, publish, options, stamp, batch)
  const turns = clients.filter(one => one.publish !== undefined && one.publish.pace === pace).length
  const intervalUs = pace === undefined ? 0 : intervalsUs[pace]! * turns
  return new Publisher(client, ring, { ...publish, window, batch, intervalUs }, board, board.rows[thread]!)
}

async function work(task: WorkerTask, port: MessagePort): Promise<void> {
  const tell = (news: WorkerNews): void => port.postMessage(news)
  const { thread, peers, intervalsUs } = task
  const board = new Board(task.threads, task.streams, task.memory)
  const driver = new Driver({ board, thread, peers, intervalsUs })
  const clients = await connectAll(task, board, driver, tell)
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
