// `--workers N`: N nodes in one process, each in a thread of its own with its own place on the ring. They share the ports
// of MQTT and HTTP; links between them are sockets of the file system. The main thread only watches:
//
//     main ──┬── worker 0   opens the ports, joins
//            ├── worker 1   joins by worker 0, then accepts at the same ports
//            └── worker 2   likewise
//
// Nodes fail alone on their own machines, but threads of one process do not: when one ends by a bug, all end, and
// whoever started the process starts it again.
import { mkdtempSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Config } from '../../broker/config.ts'
import { ShoalError } from '../../broker/errors.ts'
import { Failure } from '../cli/failure.ts'
import type { NodeAddresses } from '../cli/node.ts'
import { Turns } from './turns.ts'
import { type Serving, Worker } from './worker.ts'

/** How many workers an option means. */
export function workersOf({ workers }: Pick<Config, 'workers'>): number {
  return workers === 'auto' ? availableParallelism() : workers
}

/** Called once, when a worker fails: the process is to end too, after `halt`. */
export type WorkerLost = (worker: number, reason: Readonly<Record<string, unknown>>) => void

/** How long a worker may take to halt, unless it hangs. */
const HALT_MS = 1000

export class Workers {
  readonly #workers: readonly Worker[]
  #serving: readonly Serving[] = []
  #isEnding = false

  /** Threads that wait to be started. Throws `Failure` where there can be none. */
  constructor(config: Config, count: number, lost: WorkerLost) {
    if (process.platform === 'win32') {
      throw new Failure(
        'Workers share a listening socket, which Windows does not allow: leave --workers at 1.'
      )
    }
    const turns = Turns.memoryFor(count)
    const folder = makeFolder()
    this.#workers = Array.from({ length: count }, (_, index) => {
      const own = { ...config, clusterPort: portAt(config.clusterPort, index) }
      return new Worker(
        { index, config: own, folder, turns },
        {
          gather: worker => void this.#gather(worker),
          lost: (worker, reason) => {
            if (this.#isEnding) return
            this.#isEnding = true
            lost(worker.index, reason)
          }
        }
      )
    })
  }

  /**
   * Settles when all serve. `stopped` gives up a start that is under way: rejects with CLOSED. Rejects with `Failure` when
   * one of them cannot start; then all have halted.
   */
  async start(base: readonly string[], stopped: Promise<unknown>): Promise<void> {
    const abandoned = stopped.then(async () => {
      await this.close()
      throw new ShoalError('CLOSED')
    })
    try {
      await Promise.race([this.#start(base), abandoned])
    } catch (error) {
      await this.halt()
      throw error
    }
  }

  /** Of the first; the ports of clients are everyone's. */
  get addresses(): NodeAddresses {
    return this.#serving[0]!.addresses
  }

  /** Cluster addresses of all. */
  get nodes(): readonly string[] {
    return this.#serving.map(({ addresses }) => addresses.cluster)
  }

  /** Members of the cluster when the last of them had joined. */
  get members(): number {
    return Math.max(...this.#serving.map(({ members }) => members))
  }

  /** Has all read their files again. */
  reload(): void {
    for (const worker of this.#workers) worker.reload()
  }

  /** All say goodbye to their clients and leave the cluster, at the same time, and halt; settles within `closeTimeoutMs`. */
  async close(): Promise<void> {
    this.#isEnding = true
    for (const worker of this.#workers) worker.stop()
    await Promise.all(this.#workers.map(worker => worker.stopped))
    await this.halt()
  }

  /** Makes ready for the end of the process, within `HALT_MS`. Must come before it: threads are ended wherever they are. */
  async halt(): Promise<void> {
    this.#isEnding = true
    for (const worker of this.#workers) worker.halt()
    const late = new Promise<void>(resolve => setTimeout(resolve, HALT_MS).unref())
    await Promise.race([Promise.all(this.#workers.map(worker => worker.halted)), late])
  }

  async #start(base: readonly string[]): Promise<void> {
    const [first, ...others] = this.#workers
    first!.start(base, null)
    const serving = await first!.serving
    for (const worker of others) worker.start([serving.addresses.cluster, ...base], serving.open)
    this.#serving = [serving, ...(await Promise.all(others.map(worker => worker.serving)))]
  }

  async #gather(asker: Worker): Promise<void> {
    const others = this.#workers.filter(worker => worker !== asker)
    const figures = await Promise.all(others.map(worker => worker.figures()))
    asker.gathered(figures.filter(one => one !== null))
  }
}

/** A folder that only this user can enter, and that goes with the process. */
function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'shoal-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** Cluster ports count up; 0 is any that is free, for each. */
function portAt(first: number, index: number): number {
  return first === 0 ? 0 : first + index
}
