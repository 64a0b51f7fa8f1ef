// The network that one simulated process is given: binds and connects in its host's kernel, and reaches
// other hosts over the fabric. A process that has died gets no answers: its promises never settle.
import type { Duplex } from 'node:stream'
import type { Address, DatagramSocket, Listener, Network } from '../../broker/runtime/network.ts'
import { SimulatedDatagramSocket } from './datagram.ts'
import type { Fabric } from './fabric.ts'
import { type Kernel, systemError } from './kernel.ts'
import { SimulatedListener } from './listener.ts'
import type { SimulatedProcess } from './process.ts'
import { SimulatedStream } from './stream.ts'

/** When a connect that is not answered is tried again, counted from its start: Linux's SYN retries. */
const RETRIES_AT_MS = [1000, 3000, 7000, 15_000]

export class SimulatedNetwork implements Network {
  readonly #kernel: Kernel
  readonly #process: SimulatedProcess
  readonly #fabric: Fabric
  readonly #hosts: ReadonlyMap<string, Kernel>

  constructor(kernel: Kernel, process: SimulatedProcess, fabric: Fabric, hosts: ReadonlyMap<string, Kernel>) {
    this.#kernel = kernel
    this.#process = process
    this.#fabric = fabric
    this.#hosts = hosts
  }

  datagram(at: Address, onPacket: (packet: Uint8Array, from: Address) => void): Promise<DatagramSocket> {
    return this.#inProcess(() => {
      const address = this.#bind(at, this.#kernel.datagrams, 'bind')
      return new SimulatedDatagramSocket(
        address,
        this.#kernel,
        this.#process,
        this.#fabric,
        this.#hosts,
        onPacket
      )
    })
  }

  listen(at: Address, onConnection: (stream: Duplex, from: Address) => void): Promise<Listener> {
    return this.#inProcess(() => {
      const address = this.#bind(at, this.#kernel.listeners, 'listen')
      return new SimulatedListener(address, this.#kernel, this.#process, onConnection)
    })
  }

  connect(to: Address, timeoutMs: number): Promise<Duplex> {
    return new Promise((resolve, reject) => {
      if (this.#process.alive) this.#startConnect(to, timeoutMs, resolve, reject)
    })
  }

  // Answers in the next event, as the system does, and not in the caller's tick.
  #inProcess<T>(run: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      if (!this.#process.alive) return
      this.#fabric.timeline.at(this.#fabric.timeline.now, this.#kernel.host, 'system', () =>
        this.#process.enter(() => {
          try {
            resolve(run())
          } catch (error) {
            reject(error)
          }
        })
      )
    })
  }

  #bind(at: Address, taken: ReadonlyMap<number, unknown>, syscall: string): Address {
    const where = `${at.host}:${at.port}`
    if (!this.#kernel.owns(at.host)) throw systemError('EADDRNOTAVAIL', syscall, where)
    if (taken.has(at.port)) throw systemError('EADDRINUSE', syscall, where)
    return { host: at.host, port: at.port === 0 ? this.#kernel.ephemeralPort(taken) : at.port }
  }

  #startConnect(
    to: Address,
    timeoutMs: number,
    resolve: (stream: Duplex) => void,
    reject: (error: Error) => void
  ): void {
    const { timeline } = this.#fabric
    const here = this.#kernel
    const target = here.owns(to.host) ? here : this.#hosts.get(to.host)
    const where = `${to.host}:${to.port}`
    const from = { host: here.host, port: here.ephemeralPort(null) }
    let pending = true
    let client: SimulatedStream | null = null
    const timers = [
      timeline.at(timeline.now + timeoutMs, here.host, 'connect timeout', () =>
        this.#process.enter(() => fail('ETIMEDOUT'))
      )
    ]

    // Both run inside the process: what comes first there is the answer, also where it was stopped meanwhile.
    const settle = (run: () => void): void => {
      if (!pending) return
      pending = false
      for (const timer of timers) timeline.cancel(timer)
      run()
    }
    const fail = (code: string): void =>
      settle(() => {
        client?.disown()
        reject(systemError(code, 'connect', where))
      })
    const attempt = (): void => {
      if (target === undefined || client !== null || this.#fabric.blocked(here.host, target.host)) return
      const wait = this.#fabric.segmentDelay(here.host, target.host)
      timeline.at(timeline.now + wait, target.host, 'connect', () => arrive(target))
    }
    const arrive = (kernel: Kernel): void => {
      if (!pending || client !== null || this.#fabric.blocked(here.host, kernel.host)) return
      const listener = kernel.listeners.get(to.port)
      if (listener === undefined) return refuse(kernel)
      if (listener.full || !this.#process.alive) return
      client = this.#establish(kernel, listener, from, stream => settle(() => resolve(stream)))
    }
    const refuse = (kernel: Kernel): void => {
      const wait = this.#fabric.segmentDelay(kernel.host, here.host)
      timeline.at(timeline.now + wait, here.host, 'refused', () => {
        if (!this.#fabric.blocked(kernel.host, here.host)) this.#process.enter(() => fail('ECONNREFUSED'))
      })
    }

    attempt()
    for (const delay of RETRIES_AT_MS) {
      if (delay < timeoutMs)
        timers.push(timeline.at(timeline.now + delay, here.host, 'connect retry', attempt))
    }
  }

  /** Makes both ends. `opened` is called inside the process when the acceptance has come back to this side. */
  #establish(
    kernel: Kernel,
    listener: SimulatedListener,
    from: Address,
    opened: (stream: SimulatedStream) => void
  ): SimulatedStream {
    const client: SimulatedStream = new SimulatedStream(
      this.#process,
      this.#kernel,
      this.#fabric,
      kernel.host,
      segment => server.receive(segment)
    )
    const server = new SimulatedStream(listener.process, kernel, this.#fabric, this.#kernel.host, segment =>
      client.receive(segment)
    )
    client.attach(server.out, () => opened(client))
    server.attach(client.out, null)
    server.out.signal('open')
    listener.accept(server, from)
    return client
  }
}
