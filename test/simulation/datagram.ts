// A simulated UDP socket. While its process is stopped, the kernel keeps what arrives up to the size of a
// receive buffer, and drops the rest.
import type { Address, DatagramSocket } from '../../broker/runtime/network.ts'
import type { Fabric } from './fabric.ts'
import type { Kernel } from './kernel.ts'
import type { SimulatedProcess } from './process.ts'

/** The largest payload of a UDP packet over IPv4; larger ones are not sent. */
export const DATAGRAM_BYTES_MAX = 65_507

/** Linux's default net.core.rmem_default. */
const RECEIVE_BUFFER_BYTES_MAX = 212_992

export class SimulatedDatagramSocket implements DatagramSocket {
  readonly address: Address
  readonly #kernel: Kernel
  readonly #process: SimulatedProcess
  readonly #fabric: Fabric
  readonly #hosts: ReadonlyMap<string, Kernel>
  readonly #onPacket: (packet: Uint8Array, from: Address) => void
  #waitingBytes = 0
  #open = true

  constructor(
    address: Address,
    kernel: Kernel,
    process: SimulatedProcess,
    fabric: Fabric,
    hosts: ReadonlyMap<string, Kernel>,
    onPacket: (packet: Uint8Array, from: Address) => void
  ) {
    this.address = address
    this.#kernel = kernel
    this.#process = process
    this.#fabric = fabric
    this.#hosts = hosts
    this.#onPacket = onPacket
    kernel.datagrams.set(address.port, this)
  }

  send(packet: Uint8Array, to: Address): void {
    if (!this.#open || !this.#process.alive || packet.length > DATAGRAM_BYTES_MAX) return
    const target = this.#kernel.owns(to.host) ? this.#kernel : this.#hosts.get(to.host)
    if (target === undefined) return
    const copy = packet.slice()
    const from = { host: this.#kernel.host, port: this.address.port }
    this.#fabric.datagram(from.host, target.host, () => target.datagrams.get(to.port)?.receive(copy, from))
  }

  close(): void {
    this.#open = false
    if (this.#kernel.datagrams.get(this.address.port) === this)
      this.#kernel.datagrams.delete(this.address.port)
  }

  /** From the wire. Each delivery gets bytes of its own, as from a real socket. */
  receive(packet: Uint8Array, from: Address): void {
    if (this.#waitingBytes + packet.length > RECEIVE_BUFFER_BYTES_MAX) return
    this.#waitingBytes += packet.length
    this.#process.enter(() => {
      this.#waitingBytes -= packet.length
      if (this.#open) this.#onPacket(Buffer.from(packet), { ...from })
    })
  }
}
