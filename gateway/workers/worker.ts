// A worker as the main thread has it: the thread, and what it has told.
import { Worker as Thread } from 'node:worker_threads'
import { Failure } from '../cli/failure.ts'
import type { NodeAddresses } from '../cli/node.ts'
import type { NodeFigures } from '../http/metrics.ts'
import type { FromWorker, OpenPorts, ToWorker, WorkerParts } from './messages.ts'

const THREAD = new URL('./thread.js', import.meta.url)
/** A worker that has not told its figures by then is left out. */
const FIGURES_MS = 1000

export interface Serving {
  readonly addresses: NodeAddresses
  readonly open: OpenPorts
  /** Of the cluster, as this node sees it. */
  readonly members: number
}

export interface WorkerEvents {
  /** It wants the figures of the others. */
  gather(worker: Worker): void
  /** The thread has ended, or is not to be trusted any more. */
  lost(worker: Worker, reason: Readonly<Record<string, unknown>>): void
}

export class Worker {
  readonly index: number
  /** Rejects with `Failure`, or what else went wrong. */
  readonly serving: Promise<Serving>
  /** Also when the thread has ended or is lost: what is not there any more has stopped. */
  readonly stopped: Promise<void>
  readonly halted: Promise<void>
  readonly #thread: Thread
  readonly #asked = new Map<number, (figures: NodeFigures | null) => void>()
  #questions = 0

  constructor(parts: WorkerParts, events: WorkerEvents) {
    this.index = parts.index
    this.#thread = new Thread(THREAD, { workerData: parts })
    let served: (serving: Serving) => void = () => {}
    let failed: (error: Error) => void = () => {}
    let stopped: () => void = () => {}
    let halted: () => void = () => {}
    this.serving = new Promise((resolve, reject) => {
      served = resolve
      failed = reject
    })
    this.stopped = new Promise(resolve => {
      stopped = resolve
    })
    this.halted = new Promise(resolve => {
      halted = resolve
    })
    const lost = (reason: Readonly<Record<string, unknown>>): void => {
      stopped()
      events.lost(this, reason)
    }
    // Whoever started it may have stopped waiting for it.
    this.serving.catch(() => {})
    this.#thread.on('message', (message: FromWorker) => {
      if (message.type === 'serving') served(message)
      else if (message.type === 'failed') failed(new Failure(message.sentence, message.exitCode))
      else if (message.type === 'broken') failed(message.error)
      else if (message.type === 'stopped') stopped()
      else if (message.type === 'halted') halted()
      else if (message.type === 'lost') lost({})
      else if (message.type === 'gather') events.gather(this)
      else this.#answered(message.id, message.figures)
    })
    let cause: unknown
    this.#thread.on('error', error => {
      cause = error
    })
    this.#thread.on('exit', code => {
      halted()
      lost(cause === undefined ? { exitCode: code } : { exitCode: code, err: cause })
    })
  }

  /** `base`: its siblings and others to join. `open`: what the first has opened; null for the first itself. */
  start(base: readonly string[], open: OpenPorts | null): void {
    this.#send({ type: 'start', base, open })
  }

  /** Asks it to stop: `stopped` tells when it has. */
  stop(): void {
    this.#send({ type: 'stop' })
  }

  /** Makes it ready for the end of the process: `halted` tells when it is. */
  halt(): void {
    this.#send({ type: 'halt' })
  }

  reload(): void {
    this.#send({ type: 'reload' })
  }

  /** Null if it has none to tell, or does not answer. */
  figures(): Promise<NodeFigures | null> {
    const id = ++this.#questions
    return new Promise(resolve => {
      const late = setTimeout(() => this.#answered(id, null), FIGURES_MS).unref()
      this.#asked.set(id, figures => {
        clearTimeout(late)
        resolve(figures)
      })
      this.#send({ type: 'tell figures', id })
    })
  }

  /** Answers its `gather`. */
  gathered(figures: readonly NodeFigures[]): void {
    this.#send({ type: 'gathered', figures })
  }

  #answered(id: number, figures: NodeFigures | null): void {
    this.#asked.get(id)?.(figures)
    this.#asked.delete(id)
  }

  #send(message: ToWorker): void {
    this.#thread.postMessage(message)
  }
}
