// The threads that hold the connections, as one: told together, and heard of together.
import { Worker } from 'node:worker_threads'
import { ShoalError } from '../../broker/errors.ts'
import type { ConnectCommand, ConnectNews, ConnectTask } from './worker.ts'

/** Errors kept word for word; the rest is counted on the board. */
const ERRORS_MAX = 20

export class Threads {
  readonly errors: string[] = []
  readonly #workers: Worker[]
  #fail: (error: Error) => void = () => {}

  constructor(tasks: readonly ConnectTask[]) {
    this.#workers = tasks.map(
      workerData => new Worker(new URL('./worker.js', import.meta.url), { workerData })
    )
    for (const worker of this.#workers) {
      worker.on('error', error => this.#fail(error))
      worker.on('message', (news: ConnectNews) => {
        if (news.event === 'failed') this.#fail(new ShoalError('PEER_GONE', { why: news.message }))
        if (news.event === 'lost' && this.errors.length < ERRORS_MAX) this.errors.push(news.message)
      })
    }
  }

  tell(command: ConnectCommand): void {
    for (const worker of this.#workers) worker.postMessage(command)
  }

  /** Tells all threads, and settles when each has said `event`. Rejects with the first failure. */
  async ask(command: ConnectCommand, event: ConnectNews['event']): Promise<void> {
    const answers = this.#workers.map(
      worker =>
        new Promise<void>(resolve => {
          const listen = (news: ConnectNews) => {
            if (news.event !== event) return
            worker.off('message', listen)
            resolve()
          }
          worker.on('message', listen)
        })
    )
    const failed = new Promise<never>((_, reject) => {
      this.#fail = reject
    })
    this.tell(command)
    await Promise.race([Promise.all(answers), failed])
  }

  async end(): Promise<void> {
    await Promise.all(this.#workers.map(worker => worker.terminate()))
  }
}
