// Sockets as the broker sees them: datagrams for gossip, streams for links. A production network
// is UDP and TCP; a simulated one delays, loses, reorders and partitions by a seed.
import type { Duplex } from 'node:stream'

export interface Address {
  host: string
  port: number
}

export interface DatagramSocket {
  readonly address: Address
  /** Sends without waiting, and without a promise of arrival. Errors of the network are silent loss. */
  send(packet: Uint8Array, to: Address): void
  close(): void
}

export interface Listener {
  readonly address: Address
  /** Stops accepting. Connections that stand are their owners' to close. */
  close(): Promise<void>
}

/**
 * A stream that may promise more: with `takesCopies`, once `writableLength` is 0 again it no longer looks at the bytes
 * it was given, so that their memory can be written to again.
 */
export interface NetworkStream extends Duplex {
  takesCopies?: boolean
}

export interface Network {
  /** Binds a UDP socket. Port 0 takes any free one. Rejects with the system's error (`EADDRINUSE`). */
  datagram(at: Address, onPacket: (packet: Uint8Array, from: Address) => void): Promise<DatagramSocket>
  /** Listens for streams. Port 0 takes any free one. */
  listen(at: Address, onConnection: (stream: NetworkStream, from: Address) => void): Promise<Listener>
  /** Opens a stream. Rejects with the system's error (`code: 'ECONNREFUSED'`, `'ETIMEDOUT'` after `timeoutMs`). */
  connect(to: Address, timeoutMs: number): Promise<NetworkStream>
}
