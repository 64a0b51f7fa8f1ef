// A thread of the connect scenario: opens its share of idle clients at a given pace, holds them, and
// reopens one after the other when told to churn. Times to CONNACK go to the shared board.
import { setTimeout as after } from 'node:timers/promises'
import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import { Board, type Row } from '../board.ts'
import type { LoadClient } from '../client.ts'
import { createClient } from '../clients.ts'
import { Intake } from '../intake.ts'
import { bucketOf } from '../latency.ts'
import type { LoadOptions } from '../options.ts'
import { nowUs } from '../stamp.ts'

export interface ConnectTask {
  thread: number
  threads: number
  memory: SharedArrayBuffer
  clients: { clientId: string; url: string }[]
  options: LoadOptions
}

export type ConnectCommand = 'ramp' | 'churn' | 'stop' | 'finish'
export type ConnectNews = { event: 'ramped' | 'finished' } | { event: 'failed' | 'lost'; message: string }

/** Handshakes open at once in a thread. */
const HANDSHAKES_MAX = 100
const PACKET_BYTES_MAX = 64 * 1024

class Herd {
  readonly #task: ConnectTask
  readonly #row: Row
  readonly #intake = new Intake(PACKET_BYTES_MAX)
  readonly #clients: (LoadClient | undefined)[] = []
  readonly #tell: (news: ConnectNews) => void
  #next = 0
  #churning = false

  constructor(task: ConnectTask, tell: (news: ConnectNews) => void) {
    this.#task = task
    this.#row = new Board(task.threads, 1, task.memory).rows[task.thread]!
    this.#tell = tell
  }

  /** Opens all clients, at most `rampPerSecond` of all threads together. */
  async ramp(): Promise<void> {
    const { rampPerSecond, threads } = this.#task.options
    const intervalUs = rampPerSecond === 0 ? 0 : (1e6 / rampPerSecond) * threads
    const startUs = nowUs()
    await this.#inLanes(async () => {
      const index = this.#next++
      if (index >= this.#task.clients.length) return false
      const waitUs = startUs + index * intervalUs - nowUs()
      if (waitUs > 500) await after(waitUs / 1_000)
      await this.#open(index)
      return true
    })
  }

  /** Closes and reopens clients in turn until `stop`. */
  async churn(): Promise<void> {
    this.#churning = true
    this.#next = 0
    await this.#inLanes(async () => {
      if (!this.#churning) return false
      const index = this.#next++ % this.#task.clients.length
      const client = this.#clients[index]
      if (client === undefined) {
        // Another lane is still at it: the round is shorter than a handshake.
        await after(1)
        return true
      }
      this.#clients[index] = undefined
      client.close()
      await this.#open(index)
      return true
    })
  }

  stop(): void {
    this.#churning = false
  }

  close(): void {
    for (const client of this.#clients) client?.close()
  }

  async #open(index: number): Promise<void> {
    const { clients, options } = this.#task
    const client = createClient(clients[index]!, options, options.stamp, this.#intake, this.#row, {
      received() {},
      drained() {},
      refused() {},
      lost: error => this.#tell({ event: 'lost', message: error.message })
    })
    const startUs = nowUs()
    await client.connect()
    this.#row.latencies[bucketOf(nowUs() - startUs)]! += 1
    this.#clients[index] = client
  }

  async #inLanes(step: () => Promise<boolean>): Promise<void> {
    const lane = async () => {
      while (await step());
    }
    await Promise.all(Array.from({ length: Math.min(HANDSHAKES_MAX, this.#task.clients.length) }, lane))
  }
}

function serve(task: ConnectTask, port: MessagePort): void {
  const tell = (news: ConnectNews): void => port.postMessage(news)
  const herd = new Herd(task, tell)
  const fail = (error: unknown) =>
    tell({ event: 'failed', message: error instanceof Error ? error.message : `${error}` })
  const commands: Record<ConnectCommand, () => void> = {
    ramp: () => {
      herd.ramp().then(() => tell({ event: 'ramped' }), fail)
    },
    churn: () => {
      herd.churn().catch(fail)
    },
    stop: () => herd.stop(),
    finish: () => {
      herd.close()
      tell({ event: 'finished' })
      port.close()
    }
  }
  port.on('message', (command: ConnectCommand) => commands[command]())
}

if (parentPort !== null) serve(workerData as ConnectTask, parentPort)
