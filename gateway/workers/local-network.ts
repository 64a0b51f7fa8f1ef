// The network of one of several nodes in one process: what goes from one to another of them goes through sockets of the
// file system, which cost two thirds of TCP's on loopback; all else by the network beneath. Each node listens at a file
// that is named for its cluster port, in a folder that only this user can enter: so nothing here needs to be sealed.
//
// Streams through memory that threads share (rings of bytes, with ports for messages as door bells) were built first and
// measured: V8 copies to and from such memory four times slower than the kernel, and a door bell costs what a small
// write does, so that they were no faster.
import { connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import type {
  Address,
  DatagramSocket,
  Listener,
  Network,
  NetworkStream
} from '../../broker/runtime/network.ts'

type Accept = (stream: NetworkStream, from: Address) => void

export interface LocalNetworkParts {
  beneath: Network
  /** Where the nodes of this process have their sockets. */
  folder: string
  /** The host by which they are dialled, beside the one that they listen on. */
  host: string
}

export class LocalNetwork implements Network {
  readonly #beneath: Network
  readonly #folder: string
  readonly #hosts: Set<string>
  #accepted = 0

  constructor({ beneath, folder, host }: LocalNetworkParts) {
    this.#beneath = beneath
    this.#folder = folder
    this.#hosts = new Set([host])
  }

  datagram(at: Address, onPacket: (packet: Uint8Array, from: Address) => void): Promise<DatagramSocket> {
    return this.#beneath.datagram(at, onPacket)
  }

  /** Listens beneath too, for those outside. */
  async listen(at: Address, onConnection: Accept): Promise<Listener> {
    const outside = await this.#beneath.listen(at, onConnection)
    this.#hosts.add(at.host)
    const server = createServer({ allowHalfOpen: true }, socket => {
      // There is no port at the other end of such a socket; a machine that dials itself comes from the address it dials.
      const port = (this.#accepted++ % 65_535) + 1
      onConnection(asStream(socket), { host: at.host, port })
    })
    try {
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject)
        server.listen(this.#fileOf(outside.address.port), resolve)
      })
    } catch (error) {
      await outside.close()
      throw error
    }
    return {
      address: outside.address,
      close: async () => {
        server.close()
        await outside.close()
      }
    }
  }

  async connect(to: Address, timeoutMs: number): Promise<NetworkStream> {
    const stream = this.#hosts.has(to.host) ? await dial(this.#fileOf(to.port)) : null
    return stream ?? (await this.#beneath.connect(to, timeoutMs))
  }

  #fileOf(port: number): string {
    return join(this.#folder, String(port))
  }
}

/** Null when nobody of this process listens there. Such a dial is answered at once. */
function dial(file: string): Promise<NetworkStream | null> {
  return new Promise(resolve => {
    const socket = connect({ path: file, allowHalfOpen: true })
    const failed = (): void => resolve(null)
    socket.once('error', failed)
    socket.once('connect', () => {
      socket.off('error', failed)
      resolve(asStream(socket))
    })
  })
}

/** What the kernel has taken, it has copied. */
function asStream(socket: Socket): NetworkStream {
  return Object.assign(socket, { takesCopies: true })
}
