// A simulated machine: one address, a kernel, and one process at a time, which is given a Runtime. The methods
// are the faults that a machine can have.
import type { Log } from '../../broker/runtime/log.ts'
import type { Runtime } from '../../broker/runtime/runtime.ts'
import { SimulatedClock } from './clock.ts'
import type { Fabric } from './fabric.ts'
import { Kernel } from './kernel.ts'
import { SimulatedNetwork } from './network.ts'
import { SimulatedProcess } from './process.ts'
import type { SeededRandom } from './random.ts'
import type { SimulatedStream } from './stream.ts'

export class SimulatedHost {
  /** Its address, e.g. `10.0.0.1`. */
  readonly name: string
  /** How far `wall` is off on this host, in ms. May be set at any time. */
  wallSkewMs = 0
  readonly #fabric: Fabric
  readonly #hosts: Map<string, Kernel>
  readonly #seed: SeededRandom
  readonly #log: Log
  readonly #kernel: Kernel
  /** Ends of connections that lost their power, and will be reset when the host is up again. */
  #orphans: SimulatedStream[] = []
  #process!: SimulatedProcess
  #clock!: SimulatedClock
  #runtime!: Runtime
  #incarnation = 0

  constructor(name: string, fabric: Fabric, hosts: Map<string, Kernel>, seed: SeededRandom, log: Log) {
    this.name = name
    this.#fabric = fabric
    this.#hosts = hosts
    this.#seed = seed
    this.#log = log
    this.#kernel = new Kernel(name)
    hosts.set(name, this.#kernel)
    this.#boot()
  }

  /** Of the process that runs now, or of the last one. A dead process's runtime does nothing, and answers nothing. */
  get runtime(): Runtime {
    return this.#runtime
  }

  get alive(): boolean {
    return this.#process.alive
  }

  /** Timers of the process that have neither fired for the last time nor been cancelled. */
  get openTimers(): number {
    return this.#clock.openTimers
  }

  /** UDP sockets, listeners and ends of streams that are not closed. */
  get openSockets(): number {
    return this.#kernel.openSockets
  }

  /**
   * Kills the process as kill -9 does: none of its callbacks runs again; connects are refused, datagrams lost; its
   * connections end at their peers, some with a reset and some with an end, as real kernels do. On a host that
   * is cut nobody hears of it: a loss of power.
   */
  crash(): void {
    if (!this.#process.alive) return
    this.#process.kill()
    this.#kernel.datagrams.clear()
    this.#kernel.listeners.clear()
    const power = !this.#fabric.isCut(this.name)
    for (const stream of [...this.#kernel.streams]) {
      stream.abandon(power)
      if (!power) this.#orphans.push(stream)
    }
  }

  /** Pulls the cable: nothing arrives or leaves, and nobody is told. The process goes on. */
  cut(): void {
    this.#fabric.cut(this.name)
  }

  uncut(): void {
    this.#fabric.uncut(this.name)
  }

  /** Stops the process (SIGSTOP). The kernel goes on: it accepts connections and bytes into bounded buffers. */
  pause(): void {
    this.#process.pause()
  }

  /** Lets the process go on (SIGCONT): all that was due runs now, in its order. */
  resume(): void {
    this.#process.resume()
  }

  /** Starts a new process on the same address, plugs the cable in, and kills the old process if there is one. */
  restart(): Runtime {
    this.crash()
    this.uncut()
    for (const stream of this.#orphans) stream.disown()
    this.#orphans = []
    return this.#boot()
  }

  #boot(): Runtime {
    this.#incarnation++
    this.#process = new SimulatedProcess(this.name, this.#fabric.timeline)
    this.#clock = new SimulatedClock(this.#process, this.#fabric.timeline, () => this.wallSkewMs)
    this.#runtime = {
      clock: this.#clock,
      random: this.#seed.fork(`${this.name}/${this.#incarnation}`),
      network: new SimulatedNetwork(this.#kernel, this.#process, this.#fabric, this.#hosts),
      log: this.#log.child({ host: this.name })
    }
    return this.#runtime
  }
}
