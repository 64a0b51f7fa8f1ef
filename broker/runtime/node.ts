// The runtime of production: Node's clock, timers, random numbers, UDP and TCP. The only file of broker/ that
// touches any of them, so that all else runs in a simulation as it runs here.
import { randomBytes } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { connect, createServer, type Server, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { connect as connectTls, createServer as createTlsServer } from 'node:tls'
import type { Clock, Timer } from './clock.ts'
import { LimitedLog } from './limited-log.ts'
import { type Log, silentLog } from './log.ts'
import type { Address, DatagramSocket, Listener, Network, NetworkStream } from './network.ts'
import type { Random } from './random.ts'
import type { Runtime } from './runtime.ts'
import type { TlsCredentials } from './tls-credentials.ts'

/** The longest delay that setTimeout takes; a longer one is waited for in several steps. */
const TIMEOUT_MS_MAX = 0x7fff_ffff

/** After so long without traffic the kernel asks whether a peer is still there. Links have heartbeats of their own. */
const KEEP_ALIVE_MS = 30_000

/** The other side's end does not end ours; small frames leave at once, as links gather their output themselves. */
const STREAM_OPTIONS = {
  allowHalfOpen: true,
  noDelay: true,
  keepAlive: true,
  keepAliveInitialDelay: KEEP_ALIVE_MS
} as const

/**
 * Both sides show a certificate, and look whether one of their authorities has signed the other's. What name it is for does
 * not matter: nodes come and go at any address, and who is let in may say which node he is.
 */
const TLS_OPTIONS = { minVersion: 'TLSv1.3', checkServerIdentity: () => undefined } as const

/** A stranger has so long to shake hands, */
const TLS_HANDSHAKE_MS = 5000
/** and of strangers and peers together there are so many at most; one more is closed at once. */
const TLS_CONNECTIONS_MAX = 8192

export interface NodeRuntimeOptions {
  /** A pino logger or any other Log; nowhere by default. */
  log?: Log
  /** Streams, of both directions, are TLS then. Datagrams are not: they are sealed by who sends them. */
  tls?: TlsCredentials
}

/** A runtime of the real machine. */
export function nodeRuntime(options: NodeRuntimeOptions = {}): Runtime {
  const log = options.log ?? silentLog
  const clock = new NodeClock()
  const network = new NodeNetwork(log, clock, options.tls ?? null)
  return { clock, random: new NodeRandom(), network, log }
}

class NodeClock implements Clock {
  #deferred: (() => void)[] = []
  /** The list that was run last, empty, so that the two take turns instead of being allocated anew each tick. */
  #spare: (() => void)[] = []

  now(): number {
    return performance.now()
  }

  wall(): number {
    return Date.now()
  }

  after(delayMs: number, run: () => void): Timer {
    return new NodeTimer(delayMs, run)
  }

  every(periodMs: number, run: () => void): Timer {
    const handle = setInterval(run, Math.min(Math.ceil(periodMs), TIMEOUT_MS_MAX)).unref()
    return { cancel: () => clearInterval(handle) }
  }

  defer(run: () => void): void {
    if (this.#deferred.push(run) === 1) setImmediate(this.#runDeferred)
  }

  // What is deferred meanwhile waits for the next tick, after the input that is ready by then.
  #runDeferred = (): void => {
    const runs = this.#deferred
    this.#deferred = this.#spare
    let index = 0
    try {
      while (index < runs.length) runs[index++]!()
    } finally {
      // One that throws takes none of the others with it.
      for (; index < runs.length; index++) this.defer(runs[index]!)
      runs.length = 0
      this.#spare = runs
    }
  }
}

class NodeTimer implements Timer {
  readonly #due: number
  readonly #run: () => void
  #handle: NodeJS.Timeout | null = null

  constructor(delayMs: number, run: () => void) {
    this.#due = performance.now() + delayMs
    this.#run = run
    this.#wait(delayMs)
  }

  cancel(): void {
    if (this.#handle !== null) clearTimeout(this.#handle)
    this.#handle = null
  }

  #wait(delayMs: number): void {
    this.#handle = setTimeout(this.#fire, Math.min(Math.ceil(delayMs), TIMEOUT_MS_MAX)).unref()
  }

  // Node's timers count whole milliseconds of the loop's clock and may fire up to one early.
  #fire = (): void => {
    const leftMs = this.#due - performance.now()
    if (leftMs > 0) return this.#wait(leftMs)
    this.#handle = null
    this.#run()
  }
}

class NodeRandom implements Random {
  next(): number {
    return Math.random()
  }

  integer(bound: number): number {
    return Math.floor(Math.random() * bound)
  }

  bytes(length: number): Uint8Array {
    return randomBytes(length)
  }
}

class NodeNetwork implements Network {
  readonly #log: Log
  readonly #tls: TlsCredentials | null
  /** Of connections that fail because of a certificate, or because one side has no TLS. */
  readonly #refusals: LimitedLog

  constructor(log: Log, clock: Clock, tls: TlsCredentials | null) {
    this.#log = log
    this.#tls = tls
    this.#refusals = new LimitedLog(log, clock)
  }

  datagram(at: Address, onPacket: (packet: Uint8Array, from: Address) => void): Promise<DatagramSocket> {
    const log = this.#log
    const socket = createSocket({ type: at.host.includes(':') ? 'udp6' : 'udp4', reuseAddr: false })
    let open = true
    // Loss is what datagrams are made for: whoever sent it has a timeout of its own.
    const lost = (error: Error | null): void => {
      if (error !== null && open) log.debug({ error: error.message }, 'datagram lost')
    }
    return new Promise((resolve, reject) => {
      socket.once('error', reject)
      socket.bind(at.port, at.host, () => {
        socket.off('error', reject)
        socket.on('error', lost)
        socket.on('message', (packet, from) => {
          if (open) onPacket(packet, { host: from.address, port: from.port })
        })
        resolve({
          address: { host: at.host, port: socket.address().port },
          send: (packet, to) => {
            if (!open) return
            try {
              // A copy, because Node sends after a look-up of the host, when the caller may have reused its buffer.
              socket.send(Buffer.from(packet), to.port, to.host, lost)
            } catch (error) {
              // An address that cannot be, such as port 0, which a peer may have told us.
              lost(error as Error)
            }
          },
          close: () => {
            if (!open) return
            open = false
            socket.close()
          }
        })
      })
    })
  }

  listen(at: Address, onConnection: (stream: Duplex, from: Address) => void): Promise<Listener> {
    const accept = (socket: Socket): void => {
      onConnection(this.#tls === null ? takingCopies(socket) : socket, peerOf(socket))
    }
    const server =
      this.#tls === null ? createServer(STREAM_OPTIONS, accept) : this.#tlsServer(this.#tls, accept)
    return new Promise((resolve, reject) => {
      server.once('error', reject)
      server.listen(at.port, at.host, () => {
        server.off('error', reject)
        // Out of file descriptors, for one: that connection is refused, the listener goes on.
        server.on('error', error => this.#log.warn({ error: error.message }, 'accept failed'))
        const bound = server.address()
        resolve({
          address: {
            host: at.host,
            port: bound !== null && typeof bound === 'object' ? bound.port : at.port
          },
          // Not when `server.close` calls back: that waits for the connections.
          close: async () => {
            server.close()
          }
        })
      })
    })
  }

  connect(to: Address, timeoutMs: number): Promise<Duplex> {
    return new Promise((resolve, reject) => {
      const options = { ...STREAM_OPTIONS, host: to.host, port: to.port }
      const socket = this.#tls === null ? connect(options) : connectSecurely(options, this.#tls)
      let isReached = false
      const deadline = new NodeTimer(timeoutMs, () => socket.destroy(timedOut(to)))
      const failed = (error: Error): void => {
        deadline.cancel()
        reject(error)
        if (isReached) this.#refused(error, to)
      }
      socket.once('error', failed)
      socket.once('connect', () => {
        isReached = true
      })
      socket.once(this.#tls === null ? 'connect' : 'secureConnect', () => {
        deadline.cancel()
        socket.off('error', failed)
        resolve(this.#tls === null ? takingCopies(socket) : socket)
      })
    })
  }

  #tlsServer(tls: TlsCredentials, accept: (socket: Socket) => void): Server {
    // We refuse who is not signed ourselves: Node would not tell why.
    const trust = { requestCert: true, rejectUnauthorized: false, handshakeTimeout: TLS_HANDSHAKE_MS }
    const server = createTlsServer(
      { ...STREAM_OPTIONS, ...TLS_OPTIONS, ...trust, ...tls.material },
      socket => {
        if (socket.authorized) return accept(socket)
        this.#refused(new Error(`its certificate is not valid: ${socket.authorizationError}`), peerOf(socket))
        socket.on('error', () => {})
        socket.destroy()
      }
    )
    server.maxConnections = TLS_CONNECTIONS_MAX
    server.on('tlsClientError', (error, socket) => this.#refused(error, peerOf(socket)))
    server.once(
      'close',
      tls.watch(() => server.setSecureContext({ ...TLS_OPTIONS, ...tls.material }))
    )
    return server
  }

  #refused(error: Error, from: Address): void {
    const code = 'code' in error ? String(error.code) : ''
    this.#refusals.warn(
      `${from.host} ${code || error.message}`,
      { from, reason: `TLS: ${error.message}` },
      'node refused'
    )
  }
}

/** The options of a stream that `connect` takes and TLS does not are set afterwards. */
function connectSecurely(options: Address & typeof STREAM_OPTIONS, tls: TlsCredentials): Socket {
  const socket = connectTls({ ...TLS_OPTIONS, ...tls.material, ...options })
  return socket.setNoDelay(true).setKeepAlive(true, KEEP_ALIVE_MS)
}

/** What Node cannot hand to the kernel at once it counts in `writableLength`. */
function takingCopies(socket: Socket): NetworkStream {
  return Object.assign(socket, { takesCopies: true })
}

function peerOf(socket: Socket): Address {
  return { host: socket.remoteAddress ?? '', port: socket.remotePort ?? 0 }
}

function timedOut(to: Address): NodeJS.ErrnoException {
  const error: NodeJS.ErrnoException = new Error(`connect ETIMEDOUT ${to.host}:${to.port}`)
  error.code = 'ETIMEDOUT'
  error.syscall = 'connect'
  return error
}
