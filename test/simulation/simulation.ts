// A whole cluster in one process: hosts on a virtual clock and a virtual network, all faults and all luck
// from one seed. The same seed and the same code give the same run, event by event.
// Source: the idea of TigerBeetle's VOPR and FoundationDB's simulation.
import assert from 'node:assert/strict'
import type { Clock, Timer } from '../../broker/runtime/clock.ts'
import { type Log, silentLog } from '../../broker/runtime/log.ts'
import { SimulatedClock } from './clock.ts'
import { Fabric, type FabricOptions } from './fabric.ts'
import { SimulatedHost } from './host.ts'
import type { Kernel } from './kernel.ts'
import { SimulatedProcess } from './process.ts'
import { SeededRandom } from './random.ts'
import { Timeline } from './timeline.ts'

export interface SimulationOptions extends FabricOptions {
  seed: number
  /** Told of each event before it happens. */
  trace?: (atMs: number, host: string, kind: string) => void
  /** Where the hosts log; each line carries `host`. Silent by default. */
  log?: Log
}

/** So many events at one instant can only be a loop. */
const EVENTS_AT_ONE_INSTANT_MAX = 1_000_000
/** Immediates that are set at once: enough to make the event loop's own work cheap. */
const BATCH = 64

interface Wait {
  until: number
  condition: (() => boolean) | null
  resolve: () => void
  reject: (error: Error) => void
}

export class Simulation {
  readonly seed: number
  /** Chance for the test itself: what to publish, whom to crash. */
  readonly random: SeededRandom
  /** Time for the test itself: runs on when hosts crash or pause. */
  readonly clock: Clock
  readonly #timeline = new Timeline()
  readonly #fabric: Fabric
  readonly #hosts = new Map<string, SimulatedHost>()
  readonly #kernels = new Map<string, Kernel>()
  readonly #hostSeed: SeededRandom
  readonly #log: Log
  readonly #trace: SimulationOptions['trace'] | null
  #wait: Wait | null = null
  #immediates = 0
  #events = 0
  #instant = -1
  #eventsAtInstant = 0

  constructor(options: SimulationOptions) {
    this.seed = options.seed
    const root = new SeededRandom(options.seed)
    this.random = root.fork('test')
    this.#hostSeed = root.fork('host')
    this.#fabric = new Fabric(this.#timeline, root.fork('fabric'), options)
    this.clock = new SimulatedClock(new SimulatedProcess('', this.#timeline), this.#timeline, () => 0)
    this.#log = options.log ?? silentLog
    this.#trace = options.trace ?? null
  }

  /** Virtual milliseconds since the start. */
  get now(): number {
    return this.#timeline.now
  }

  /** Events that have happened. */
  get events(): number {
    return this.#events
  }

  /** The host of this name, which is its address; made if it is new. */
  host(name: string): SimulatedHost {
    let host = this.#hosts.get(name)
    if (host === undefined) {
      host = new SimulatedHost(name, this.#fabric, this.#kernels, this.#hostSeed, this.#log)
      this.#hosts.set(name, host)
    }
    return host
  }

  /** Separates two sides, in addition to what is separated already. Datagrams are lost; streams stall. */
  partition(sideA: readonly string[], sideB: readonly string[]): void {
    this.block(sideA, sideB)
    this.block(sideB, sideA)
  }

  /** Lets nothing pass from one side to the other; the way back stays open. */
  block(from: readonly string[], to: readonly string[]): void {
    for (const a of from) {
      for (const b of to) this.#fabric.block(a, b)
    }
  }

  /** Undoes every partition and block. Hosts that are cut stay so. */
  heal(): void {
    this.#fabric.unblockAll()
  }

  /** Share of datagrams lost from now on, 0 to 1. */
  setLoss(loss: number): void {
    this.#fabric.loss = loss
  }

  /** Calls `run` once, after so much virtual time, whatever happens to the hosts. */
  after(delayMs: number, run: () => void): Timer {
    return this.clock.after(delayMs, run)
  }

  /** Lets `ms` of virtual time pass. Rejects with what an event threw. Only one run at a time. */
  run(ms: number): Promise<void> {
    return this.#advance(this.now + ms, null)
  }

  /** Runs until the condition holds, which is asked before each event; rejects, naming the seed, when it does not in time. */
  until(condition: () => boolean, withinMs: number): Promise<void> {
    return this.#advance(this.now + withinMs, condition)
  }

  #advance(until: number, condition: (() => boolean) | null): Promise<void> {
    assert(this.#wait === null, 'the simulation is running already')
    return new Promise((resolve, reject) => {
      this.#wait = { until, condition, resolve, reject }
      process.on('uncaughtExceptionMonitor', this.#sayWhere)
      if (this.#immediates === 0) this.#schedule()
    })
  }

  // Each event has an immediate of its own, because Node settles all promises and ticks between two of them.
  #schedule(): void {
    this.#immediates += BATCH
    for (let i = 0; i < BATCH; i++) setImmediate(this.#step)
  }

  #step = (): void => {
    this.#immediates--
    if (this.#wait === null) return
    try {
      this.#happen(this.#wait)
    } catch (error) {
      this.#finish(this.#failure('failed', error))
    }
    if (this.#wait !== null && this.#immediates === 0) this.#schedule()
  }

  #happen(wait: Wait): void {
    if (wait.condition?.()) return this.#finish(null)
    const event = this.#timeline.take(wait.until)
    if (event === null) {
      this.#timeline.rest(wait.until)
      return this.#finish(
        wait.condition === null ? null : this.#failure(`waited in vain for ${wait.condition}`)
      )
    }
    this.#count()
    this.#trace?.(this.#timeline.now, event.owner, event.kind)
    event.run()
  }

  #count(): void {
    this.#events++
    if (this.#timeline.now !== this.#instant) {
      this.#instant = this.#timeline.now
      this.#eventsAtInstant = 0
    }
    this.#eventsAtInstant++
    if (this.#eventsAtInstant > EVENTS_AT_ONE_INSTANT_MAX) throw new Error('virtual time stands still')
  }

  #finish(error: Error | null): void {
    const wait = this.#wait!
    this.#wait = null
    process.off('uncaughtExceptionMonitor', this.#sayWhere)
    if (error === null) wait.resolve()
    else wait.reject(error)
  }

  // What is thrown in a tick or promise after an event goes past `run`, to the test runner.
  #sayWhere = (error: Error): void => {
    console.error(this.#failure('left an error uncaught', error).message)
  }

  #failure(what: string, cause?: unknown): Error {
    const reason = cause instanceof Error ? `: ${cause.message}` : ''
    return new Error(`simulation with seed ${this.seed} at ${this.now} ms ${what}${reason}`, { cause })
  }
}
