// Keeps a thread's publishers going. Closed loop: after each round of reads, every publisher whose
// window opened sends. Open loop: spins through the event loop while a message is due within two
// milliseconds, since a timer is late by more than a broker takes.
import type { MessagePort } from 'node:worker_threads'
import type { Board } from './board.ts'
import type { Publisher } from './publisher.ts'
import { nowUs } from './stamp.ts'

const SPIN_US = 2_000

export interface DriverOptions {
  board: Board
  thread: number
  /** By thread: the port to it; undefined at this thread's own place, or when no deliveries cross threads. */
  peers: readonly (MessagePort | undefined)[]
  /** Open loop: µs between two messages of this thread. 0 means closed loop. */
  intervalUs: number
}

export class Driver {
  readonly publishers: Publisher[] = []
  readonly #options: DriverOptions
  #running = false
  #scheduled = false
  #startUs = 0
  /** Open loop: messages due so far, of the whole thread. */
  #due = 0
  #owing = false

  constructor(options: DriverOptions) {
    this.#options = options
    for (const port of options.peers) port?.on('message', () => this.wake())
  }

  /** Begins to send. Open loop: the first message is due at once. */
  start(): void {
    this.#running = true
    const { intervalUs } = this.#options
    if (intervalUs === 0) {
      this.#pumpAll()
      return
    }
    this.#startUs = nowUs()
    this.#due = 0
    this.publishers.forEach((publisher, index) => {
      publisher.startUs = this.#startUs + index * intervalUs
    })
    if (this.publishers.length > 0) this.#tick()
  }

  /** Sends nothing more. */
  stop(): void {
    this.#running = false
  }

  /** Opens all windows, when what is outstanding will not come. */
  forgive(): void {
    for (const publisher of this.publishers) publisher.forgive()
    this.wake()
  }

  /** Lets publishers look at their windows once the reads of this round are done. */
  wake(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(this.#round)
  }

  readonly #round = (): void => {
    this.#scheduled = false
    this.#wakePeers()
    if (this.#running && (this.#options.intervalUs === 0 || this.#owing)) this.#pumpAll()
  }

  readonly #tick = (): void => {
    if (!this.#running) return
    const { intervalUs } = this.#options
    const timeUs = nowUs()
    const due = Math.floor((timeUs - this.#startUs) / intervalUs) + 1
    const fresh = Math.min(due - this.#due, this.publishers.length)
    for (let i = 0; i < this.publishers.length; i++) {
      this.publishers[i]!.due = Math.floor((due - 1 - i) / this.publishers.length) + 1
    }
    if (this.#owing) {
      this.#pumpAll()
    } else {
      for (let i = 0; i < fresh; i++) {
        const left = this.publishers[(this.#due + i) % this.publishers.length]!.pump(timeUs)
        this.#owing ||= left
      }
    }
    this.#due = due
    const waitUs = this.#startUs + due * intervalUs - nowUs()
    if (waitUs < SPIN_US) setImmediate(this.#tick)
    else setTimeout(this.#tick, (waitUs - SPIN_US / 2) / 1_000)
  }

  #pumpAll(): void {
    const timeUs = nowUs()
    this.#owing = false
    for (const publisher of this.publishers) {
      const left = publisher.pump(timeUs)
      this.#owing ||= left
    }
    const { board, thread, peers } = this.#options
    if (!this.#owing || peers.length === 0 || Atomics.load(board.waiting, thread) === 1) return
    // Say so first, then look again: a delivery counted in between would otherwise wake no one.
    Atomics.store(board.waiting, thread, 1)
    for (const publisher of this.publishers) publisher.pump(timeUs)
  }

  #wakePeers(): void {
    const { board, peers } = this.#options
    for (let i = 0; i < peers.length; i++) {
      const port = peers[i]
      if (port !== undefined && Atomics.compareExchange(board.waiting, i, 1, 0) === 1) port.postMessage(0)
    }
  }
}
