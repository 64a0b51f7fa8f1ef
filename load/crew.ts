// The generator's threads as one: started together, told together, and heard of together.
import { MessageChannel, type MessagePort, type TransferListItem, Worker } from 'node:worker_threads'
import { ShoalError } from '../broker/errors.ts'
import type { Board } from './board.ts'
import type { LoadOptions } from './options.ts'
import type { ClientPlan, Plan } from './plan.ts'
import type { WorkerCommand, WorkerNews, WorkerTask } from './worker.ts'

/** Errors kept word for word; the rest is counted on the board. */
const ERRORS_MAX = 20

export class Crew {
  readonly errors: string[] = []
  readonly #workers: Worker[]
  readonly #finished: Promise<unknown>
  readonly #ready: Promise<unknown>

  constructor(plan: Plan, options: LoadOptions, board: Board) {
    const ports = connectPorts(options.threads, deliveriesCrossThreads(plan, options.threads))
    const tasks: WorkerTask[] = Array.from({ length: options.threads }, (_, thread) => {
      const clients = plan.clients.filter(client => client.thread === thread)
      return {
        thread,
        threads: options.threads,
        streams: plan.streams,
        memory: board.memory,
        clients,
        options,
        stamp: plan.stamp,
        intervalsUs: plan.paces.map((_, pace) => intervalUs(plan, pace, clients)),
        peers: ports[thread]!
      }
    })
    this.#workers = tasks.map(
      task =>
        new Worker(new URL('./worker.js', import.meta.url), {
          workerData: task,
          transferList: task.peers.filter(
            (peer): peer is MessagePort => peer !== undefined
          ) as TransferListItem[]
        })
    )
    this.#ready = this.#all('ready')
    this.#finished = this.#all('finished')
    // Both are awaited later; a failure before that must not count as unhandled.
    this.#ready.catch(() => {})
    this.#finished.catch(() => {})
  }

  /** Settles when all clients are connected and subscribed; rejects with the first failure. */
  async ready(): Promise<void> {
    await this.#ready
  }

  tell(command: WorkerCommand): void {
    for (const worker of this.#workers) worker.postMessage(command)
  }

  /** Has the ledgers closed and the clients disconnected. */
  async finish(): Promise<void> {
    this.tell('finish')
    await this.#finished
  }

  /** Ends all threads, whatever they are at. */
  async terminate(): Promise<void> {
    await Promise.all(this.#workers.map(worker => worker.terminate()))
  }

  /** Event loop of each thread: ms busy and ms idle since its start. */
  loopTimes(): { active: number; idle: number }[] {
    return this.#workers.map(worker => worker.performance.eventLoopUtilization())
  }

  #all(event: 'ready' | 'finished'): Promise<unknown> {
    return Promise.all(
      this.#workers.map(
        worker =>
          new Promise<void>((resolve, reject) => {
            worker.on('message', (news: WorkerNews) => {
              if (news.event === event) resolve()
              else if (news.event === 'failed') reject(new ShoalError('PEER_GONE', { why: news.message }))
              else if ((news.event === 'lost' || news.event === 'refused') && event === 'ready')
                this.#note(`${news.clientId}: ${news.message}`)
            })
            worker.on('error', reject)
            worker.on('exit', code =>
              reject(new ShoalError('PEER_GONE', { why: `a thread ended with ${code}` }))
            )
          })
      )
    )
  }

  #note(error: string): void {
    if (this.errors.length < ERRORS_MAX) this.errors.push(error)
  }
}

/** Between two messages of those of `clients` that keep a pace, so that all threads together keep it; 0 when none does. */
function intervalUs(plan: Plan, pace: number, clients: readonly ClientPlan[]): number {
  const { perSecond, publishers } = plan.paces[pace]!
  const here = clients.filter(({ publish }) => publish?.pace === pace).length
  return here === 0 ? 0 : (1e6 / perSecond) * (publishers / here)
}

function deliveriesCrossThreads(plan: Plan, threads: number): boolean {
  if (threads === 1) return false
  const threadOf = new Uint8Array(plan.streams)
  for (const { publish, thread } of plan.clients) {
    if (publish) threadOf.fill(thread, publish.firstStream, publish.firstStream + publish.topics.length)
  }
  return plan.clients.some(({ subscribe, thread }) => {
    if (!subscribe) return false
    const { firstStream, streams } = subscribe
    return threadOf.subarray(firstStream, firstStream + streams).some(owner => owner !== thread)
  })
}

/** A port from each thread to each other one, or none at all. */
function connectPorts(threads: number, wanted: boolean): (MessagePort | undefined)[][] {
  const ports: (MessagePort | undefined)[][] = Array.from({ length: threads }, () => [])
  for (let a = 0; wanted && a < threads; a++) {
    for (let b = a + 1; b < threads; b++) {
      const { port1, port2 } = new MessageChannel()
      ports[a]![b] = port1
      ports[b]![a] = port2
    }
  }
  return ports
}
