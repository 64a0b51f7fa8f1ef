// A TCP socket as a ByteTransport. Node writes to the kernel at once when it can; only what the
// kernel did not take stays with the stream, and then an empty write behind it tells when it is gone.
import type { Socket } from 'node:net'
import type { ByteTransport } from './transport.ts'

const nothing = Buffer.alloc(0)

export class TcpTransport implements ByteTransport {
  readonly remoteAddress: string
  writable = true
  #socket: Socket
  #onWritable: () => void = () => {}
  #written: (error?: Error | null) => void

  constructor(socket: Socket) {
    this.remoteAddress = socket.remoteAddress ?? ''
    this.#socket = socket
    this.#written = error => {
      if (error || socket.destroyed) return
      this.writable = socket.writableLength === 0
      if (this.writable) this.#onWritable()
      else socket.write(nothing, this.#written)
    }
  }

  /** Names who is told when `writable` turns true again. */
  onWritable(run: () => void): void {
    this.#onWritable = run
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
