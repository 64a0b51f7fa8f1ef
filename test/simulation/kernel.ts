// What the kernel of a simulated host keeps: who has bound which port, and the open ends of streams. It
// outlives the processes of the host.
import type { SimulatedDatagramSocket } from './datagram.ts'
import type { SimulatedListener } from './listener.ts'
import type { SimulatedStream } from './stream.ts'

const EPHEMERAL_MIN = 32_768
const EPHEMERAL_COUNT = 28_232

export class Kernel {
  /** The host's only address. */
  readonly host: string
  readonly datagrams = new Map<number, SimulatedDatagramSocket>()
  readonly listeners = new Map<number, SimulatedListener>()
  readonly streams = new Set<SimulatedStream>()
  #next = 0

  constructor(host: string) {
    this.host = host
  }

  get openSockets(): number {
    return this.datagrams.size + this.listeners.size + this.streams.size
  }

  /** The next ephemeral port that `taken` does not have. */
  ephemeralPort(taken: ReadonlyMap<number, unknown> | null): number {
    for (let tries = 0; tries < EPHEMERAL_COUNT; tries++) {
      const port = EPHEMERAL_MIN + this.#next
      this.#next = (this.#next + 1) % EPHEMERAL_COUNT
      if (taken === null || !taken.has(port)) return port
    }
    throw new Error(`no free port on ${this.host}`)
  }

  /** Whether an address of a bind or connect is this host's. */
  owns(address: string): boolean {
    return (
      address === this.host || address === '0.0.0.0' || address === '127.0.0.1' || address === 'localhost'
    )
  }
}

/** An error as Node reports it from the system. */
export function systemError(code: string, syscall: string, where: string): NodeJS.ErrnoException {
  const error: NodeJS.ErrnoException = new Error(`${syscall} ${code} ${where}`.trim())
  error.code = code
  error.syscall = syscall
  return error
}
