// A simulated TCP listener. The kernel accepts for it, also while its process is stopped, up to a backlog.
import type { Duplex } from 'node:stream'
import type { Address, Listener } from '../../broker/runtime/network.ts'
import type { Kernel } from './kernel.ts'
import type { SimulatedProcess } from './process.ts'
import type { SimulatedStream } from './stream.ts'

/** Node's default. A connect beyond it is not answered, and tries again. */
const BACKLOG_MAX = 511

export class SimulatedListener implements Listener {
  readonly address: Address
  readonly process: SimulatedProcess
  readonly #kernel: Kernel
  readonly #onConnection: (stream: Duplex, from: Address) => void
  #backlog = 0
  #open = true

  constructor(
    address: Address,
    kernel: Kernel,
    process: SimulatedProcess,
    onConnection: (stream: Duplex, from: Address) => void
  ) {
    this.address = address
    this.process = process
    this.#kernel = kernel
    this.#onConnection = onConnection
    kernel.listeners.set(address.port, this)
  }

  get full(): boolean {
    return this.#backlog >= BACKLOG_MAX
  }

  /** A connection that the kernel has set up. */
  accept(stream: SimulatedStream, from: Address): void {
    this.#backlog++
    this.process.enter(() => {
      this.#backlog--
      if (this.#open) this.#onConnection(stream, from)
      else stream.disown()
    })
  }

  async close(): Promise<void> {
    this.#open = false
    if (this.#kernel.listeners.get(this.address.port) === this)
      this.#kernel.listeners.delete(this.address.port)
  }
}
