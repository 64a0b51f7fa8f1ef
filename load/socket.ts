// A socket of the load, plain or TLS: it reads into the memory that all sockets of its thread share.
import { connect as connectTcp, type Socket } from 'node:net'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'
import { addressOf } from './addresses.ts'
import type { Intake } from './intake.ts'

export interface SocketEvents {
  /** `length` bytes were put at `intake.read`. They are gone with the next read of any socket. */
  read(length: number): void
  /** All that was written has left for the kernel. */
  drained(): void
  /** The socket failed, or it closed (then without an error). May be called more than once. */
  ended(error: Error | undefined): void
}

/** Opens a socket to an address of the load. Certificates are not checked: it is the broker's speed that is. */
export function openSocket(url: string, intake: Intake, events: SocketEvents): Socket {
  const { host, port, secure } = addressOf(url)
  const onread = {
    buffer: intake.read,
    callback: (length: number) => {
      events.read(length)
      return true
    }
  }
  // A TLS socket takes `onread` as a plain one does; only its types do not say so.
  const secureOptions = { host, port, onread, rejectUnauthorized: false } as ConnectionOptions
  const socket = secure ? connectTls(secureOptions) : connectTcp({ host, port, onread, noDelay: true })
  socket.setNoDelay(true)
  socket.on('drain', () => events.drained())
  socket.on('error', error => events.ended(error))
  socket.on('close', () => events.ended(undefined))
  return socket
}
