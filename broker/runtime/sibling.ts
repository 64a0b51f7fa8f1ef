// Another thread of this process that has a node too, at the end of a message port: where it listens, and the streams to
// it. The port carries what is rare, and the wakes of streams; bytes go through shared memory.
//
//     { listening }  → { heard }                    from now on these addresses are reached through memory
//     { connect }    → { accepted } or { refused }   with the two pipes of the stream
//     a number                                       look at this stream; below zero: one that the receiver was dialled for
//
// A thread that ends closes its ports: its streams break as if reset.
import assert from 'node:assert'
import type { Duplex } from 'node:stream'
import type { MessagePort } from 'node:worker_threads'
import type { Clock } from './clock.ts'
import type { Address } from './network.ts'
import { SharedPipe } from './shared-pipe.ts'
import { SharedStream } from './shared-stream.ts'

type Signal =
  | { readonly type: 'listening'; readonly port: number; readonly hosts: readonly string[] }
  | { readonly type: 'heard'; readonly port: number }
  | { readonly type: 'closed'; readonly port: number }
  | {
      readonly type: 'connect'
      readonly stream: number
      readonly to: Address
      readonly fromPort: number
      /** Towards the listener, and back. */
      readonly pipes: readonly [SharedArrayBuffer, SharedArrayBuffer]
    }
  | { readonly type: 'accepted' | 'refused'; readonly stream: number }

interface Dial {
  readonly stream: SharedStream
  settle(error: NodeJS.ErrnoException | null): void
}

/** Takes the streams that come to one port. */
export type Accept = (stream: Duplex, from: Address) => void

/** What a sibling needs of the network of this thread. */
export interface Here {
  readonly clock: Clock
  /** Where this thread listens. */
  readonly listening: ReadonlyMap<number, Accept>
}

/** Hears the other thread from the moment it is made, before there is a network: nobody waits for an answer of ours. */
export class Sibling {
  readonly #port: MessagePort
  #here: Here | null = null
  /** Where the other one does: its hosts by port. */
  readonly #reached = new Map<number, readonly string[]>()
  /** Streams that we dialled by their number, those that were dialled for us by its negative. */
  readonly #streams = new Map<number, SharedStream>()
  readonly #dials = new Map<number, Dial>()
  readonly #untold = new Map<number, () => void>()
  #dialled = 0
  #isClosed = false

  /** Owns the port, which keeps the process alive as long as streams are open. */
  constructor(port: MessagePort) {
    this.#port = port
    port.on('message', (message: Signal | number) => {
      if (typeof message === 'number') this.#streams.get(message)?.look()
      else this.#take(message)
    })
    port.on('close', () => this.#gone())
    port.unref()
  }

  /** From now on streams may be opened, by either side. */
  join(here: Here): void {
    this.#here = here
  }

  listensAt({ host, port }: Address): boolean {
    return this.#reached.get(port)?.includes(host) === true
  }

  /** Settles when the other thread knows that we listen, or is gone. */
  tell(port: number, hosts: readonly string[]): Promise<void> {
    if (this.#isClosed) return Promise.resolve()
    this.#send({ type: 'listening', port, hosts })
    return new Promise(resolve => {
      this.#untold.set(port, resolve)
      this.#keepAlive()
    })
  }

  untell(port: number): void {
    this.#send({ type: 'closed', port })
  }

  /** As `Network.connect`. */
  connect(to: Address, timeoutMs: number): Promise<Duplex> {
    assert(this.#here !== null)
    const { clock } = this.#here
    const id = ++this.#dialled
    const [there, back] = [new SharedPipe(), new SharedPipe()]
    const stream = this.#open(id, back, there, clock)
    return new Promise((resolve, reject) => {
      const settle = (error: NodeJS.ErrnoException | null): void => {
        deadline.cancel()
        this.#dials.delete(id)
        if (error === null) return resolve(stream)
        stream.destroy()
        reject(error)
      }
      const deadline = clock.after(timeoutMs, () => settle(connectError('ETIMEDOUT', to)))
      this.#dials.set(id, { stream, settle })
      // The number of the stream stands for the port of a socket that is not there.
      const fromPort = (id % 65_535) + 1
      this.#send({ type: 'connect', stream: id, to, fromPort, pipes: [there.memory, back.memory] })
    })
  }

  /** Closes the port: to the other thread this one is gone. */
  close(): void {
    this.#port.close()
  }

  #take(message: Signal): void {
    switch (message.type) {
      case 'listening':
        this.#reached.set(message.port, message.hosts)
        this.#send({ type: 'heard', port: message.port })
        break
      case 'heard':
        this.#heard(message.port)
        break
      case 'closed':
        this.#reached.delete(message.port)
        break
      case 'connect':
        this.#accept(message)
        break
      case 'accepted':
        this.#dials.get(message.stream)?.settle(null)
        break
      case 'refused':
        this.#dials.get(message.stream)?.settle(connectError('ECONNREFUSED', null))
        break
    }
  }

  #accept({ stream: id, to, fromPort, pipes: [there, back] }: Signal & { type: 'connect' }): void {
    const here = this.#here
    const accept = here?.listening.get(to.port)
    if (here === null || accept === undefined) return this.#send({ type: 'refused', stream: id })
    const stream = this.#open(-id, new SharedPipe(there), new SharedPipe(back), here.clock)
    this.#send({ type: 'accepted', stream: id })
    // A machine that connects to an address of its own comes from that address.
    accept(stream, { host: to.host, port: fromPort })
  }

  #open(key: number, input: SharedPipe, output: SharedPipe, clock: Clock): SharedStream {
    const stream = new SharedStream({
      clock,
      input,
      output,
      ring: () => this.#port.postMessage(-key),
      closed: () => {
        this.#streams.delete(key)
        this.#keepAlive()
      }
    })
    this.#streams.set(key, stream)
    this.#keepAlive()
    return stream
  }

  #heard(port: number): void {
    this.#untold.get(port)?.()
    this.#untold.delete(port)
    this.#keepAlive()
  }

  #keepAlive(): void {
    if (this.#streams.size > 0 || this.#untold.size > 0) this.#port.ref()
    else this.#port.unref()
  }

  #gone(): void {
    this.#isClosed = true
    this.#reached.clear()
    for (const port of [...this.#untold.keys()]) this.#heard(port)
    for (const { settle } of [...this.#dials.values()]) settle(connectError('ECONNREFUSED', null))
    for (const stream of [...this.#streams.values()]) stream.destroy(reset())
  }

  #send(message: Signal): void {
    this.#port.postMessage(message)
  }
}

function connectError(code: 'ECONNREFUSED' | 'ETIMEDOUT', to: Address | null): NodeJS.ErrnoException {
  const where = to === null ? 'another thread' : `${to.host}:${to.port}`
  return systemError(code, 'connect', `connect ${code} ${where}`)
}

function reset(): NodeJS.ErrnoException {
  return systemError('ECONNRESET', 'read', 'read ECONNRESET: the other thread has ended')
}

function systemError(code: string, syscall: string, message: string): NodeJS.ErrnoException {
  const error: NodeJS.ErrnoException = new Error(message)
  error.code = code
  error.syscall = syscall
  return error
}
