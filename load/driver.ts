// Keeps a thread's publishers going. Closed loop: after each round of reads, every publisher whose
// window opened sends. Open loop: spins through the event loop while a message is due within two
// milliseconds, since a timer is late by more than a broker takes.
import type { MessagePort } from 'node:worker_threads'
import type { Board } from './board.ts'
import type { Publisher } from './publisher.ts'
import { Schedule } from './schedule.ts'
import { nowUs } from './stamp.ts'

const SPIN_US = 2_000

export interface DriverOptions {
  board: Board
  thread: number
  /** By thread: the port to it; undefined at this thread's own place, or when no deliveries cross threads. */
  peers: readonly (MessagePort | undefined)[]
  /** By pace of the plan: µs between two messages of this thread's publishers that keep it. */
  intervalsUs: readonly number[]
}

export class Driver {
  readonly #board: Board
  readonly #thread: number
  readonly #peers: readonly (MessagePort | undefined)[]
  readonly #schedules: readonly Schedule[]
  /** Publishers in closed loop. */
  readonly #eager: Publisher[] = []
  #running = false
  #scheduled = false
  /** Whether the schedules have messages that are due and could not leave. */
  #owing = false

  constructor({ board, thread, peers, intervalsUs }: DriverOptions) {
    this.#board = board
    this.#thread = thread
    this.#peers = peers
    this.#schedules = intervalsUs.map(interval => new Schedule(interval))
    for (const port of peers) port?.on('message', () => this.wake())
  }

  /** Adds a publisher before the start; without a pace, it is in closed loop. */
  add(publisher: Publisher, pace: number | undefined): void {
    if (pace === undefined) this.#eager.push(publisher)
    else this.#schedules[pace]!.publishers.push(publisher)
  }

  /** Begins to send. Open loop: the first message is due at once. */
  start(): void {
    this.#running = true
    const timeUs = nowUs()
    for (const schedule of this.#schedules) schedule.start(timeUs)
    if (this.#eager.length > 0) this.#pumpAll()
    if (this.#schedules.some(({ publishers }) => publishers.length > 0)) this.#tick()
  }

  /** Sends nothing more. */
  stop(): void {
    this.#running = false
  }

  /** Opens all windows of QoS 0, when what is outstanding will not come. */
  forgive(): void {
    for (const publisher of this.#eager) publisher.forgive()
    for (const { publishers } of this.#schedules) for (const publisher of publishers) publisher.forgive()
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
    if (this.#running && (this.#owing || this.#eager.length > 0)) this.#pumpAll()
  }

  readonly #tick = (): void => {
    if (!this.#running) return
    const timeUs = nowUs()
    let owing = this.#owing
    let nextUs = Number.POSITIVE_INFINITY
    for (const schedule of this.#schedules) {
      owing = schedule.advance(timeUs, !this.#owing) || owing
      nextUs = Math.min(nextUs, schedule.nextUs)
    }
    this.#owing = owing
    if (owing) this.#pumpAll()
    const waitUs = nextUs - nowUs()
    if (waitUs < SPIN_US) setImmediate(this.#tick)
    else setTimeout(this.#tick, (waitUs - SPIN_US / 2) / 1_000)
  }

  #pumpAll(): void {
    const timeUs = nowUs()
    if (!this.#pump(timeUs)) return
    if (this.#peers.length === 0 || Atomics.load(this.#board.waiting, this.#thread) === 1) return
    // Say so first, then look again: a delivery counted in between would otherwise wake no one.
    Atomics.store(this.#board.waiting, this.#thread, 1)
    this.#pump(timeUs)
  }

  /** Sends what may go; returns whether something waits. */
  #pump(timeUs: number): boolean {
    let waiting = false
    for (const publisher of this.#eager) waiting = publisher.pump(timeUs) || waiting
    this.#owing = false
    for (const schedule of this.#schedules) this.#owing = schedule.pump(timeUs) || this.#owing
    return waiting || this.#owing
  }

  #wakePeers(): void {
    for (let i = 0; i < this.#peers.length; i++) {
      const port = this.#peers[i]
      if (port !== undefined && Atomics.compareExchange(this.#board.waiting, i, 1, 0) === 1)
        port.postMessage(0)
    }
  }
}
