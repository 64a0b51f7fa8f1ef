// A TCP socket of node:net as a ByteTransport. Node writes to the kernel at once when it can; only what the
// kernel did not take stays with the stream, and then an empty write behind it tells when it is gone.
// Most connections do without the stream: see tcp-handle.ts.
import type { Socket } from 'node:net'
import type { ByteTransport, TransportUser } from './transport.ts'

const nothing = Buffer.alloc(0)

export class TcpTransport implements ByteTransport {
  writable = true
  #socket: Socket
  #user: TransportUser | null = null
  #error: Error | undefined
  #written: (error?: Error | null) => void

  constructor(socket: Socket) {
    this.#socket = socket
    this.#written = error => {
      if (error || socket.destroyed) return
      this.writable = socket.writableLength === 0
      if (this.writable) this.#user?.onWritable()
      else socket.write(nothing, this.#written)
    }
    // Without a listener an error would end the process.
    socket.on('error', error => {
      this.#error = error
    })
  }

  get remoteAddress(): string {
    return this.#socket.remoteAddress ?? ''
  }

  /** Names who is told, and begins to read. */
  open(user: TransportUser): void {
    this.#user = user
    const socket = this.#socket
    socket.on('data', chunk => user.onData(chunk))
    socket.on('end', () => user.onEnd())
    socket.on('close', () => user.onClose(this.#error))
  }

  write(bytes: Uint8Array): void {
    const socket = this.#socket
    if (!socket.writable) return
    socket.write(bytes)
    if (this.writable && socket.writableLength > 0) {
      this.writable = false
      socket.write(nothing, this.#written)
    }
  }

  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  end(): void {
    this.#socket.end()
  }

  destroy(): void {
    this.#socket.destroy()
  }
}
