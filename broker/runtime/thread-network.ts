// The network of one of several nodes that run as threads of one process: streams between these nodes go through memory,
// everything else goes by the network beneath.
import type { Duplex } from 'node:stream'
import type { Clock } from './clock.ts'
import type { Address, DatagramSocket, Listener, Network } from './network.ts'
import type { Accept, Sibling } from './sibling.ts'

export interface ThreadNetworkParts {
  /** For all that is not between these threads. */
  beneath: Network
  clock: Clock
  /** The host by which nodes of this process are dialled, beside the one that they listen on. */
  host: string
  /** All the other threads. */
  siblings: readonly Sibling[]
}

export class ThreadNetwork implements Network {
  readonly #beneath: Network
  readonly #host: string
  readonly #siblings: readonly Sibling[]
  readonly #listening = new Map<number, Accept>()

  constructor({ beneath, clock, host, siblings }: ThreadNetworkParts) {
    this.#beneath = beneath
    this.#host = host
    this.#siblings = siblings
    for (const sibling of siblings) sibling.join({ clock, listening: this.#listening })
  }

  datagram(at: Address, onPacket: (packet: Uint8Array, from: Address) => void): Promise<DatagramSocket> {
    return this.#beneath.datagram(at, onPacket)
  }

  /** Listens beneath too, for those outside; settles when all siblings know. */
  async listen(at: Address, onConnection: Accept): Promise<Listener> {
    const listener = await this.#beneath.listen(at, onConnection)
    const { port } = listener.address
    const hosts = [...new Set([at.host, this.#host])]
    this.#listening.set(port, onConnection)
    await Promise.all(this.#siblings.map(sibling => sibling.tell(port, hosts)))
    let isOpen = true
    return {
      address: listener.address,
      close: async () => {
        if (!isOpen) return
        isOpen = false
        this.#listening.delete(port)
        for (const sibling of this.#siblings) sibling.untell(port)
        await listener.close()
      }
    }
  }

  connect(to: Address, timeoutMs: number): Promise<Duplex> {
    const sibling = this.#siblings.find(one => one.listensAt(to))
    return sibling === undefined ? this.#beneath.connect(to, timeoutMs) : sibling.connect(to, timeoutMs)
  }
}
