// A WebSocket of uWebSockets.js that may be used at any time: after its close, calls do nothing, where
// the library throws.
import type { WebSocket } from 'uWebSockets.js'
import type { SocketHandler } from './gateway.ts'
import type { Sink } from './outbox.ts'

/** What uWebSockets.js keeps with a socket. */
export interface SocketData {
  handler: SocketHandler | null
  /** The subprotocol that the handshake agreed on. */
  protocol: '' | 'mqtt'
}

/** What the library's `send` returns when the system has not taken all that was sent so far. */
const HAS_BACKPRESSURE = 0

export class Socket implements Sink {
  readonly remoteAddress: string
  #ws: WebSocket<SocketData> | null
  /** The last `send` was not taken whole. While it was, nothing is buffered, and the library need not be asked. */
  #isClogged = false

  constructor(ws: WebSocket<SocketData>) {
    this.#ws = ws
    this.remoteAddress = Buffer.from(ws.getRemoteAddressAsText()).toString('latin1')
  }

  get isOpen(): boolean {
    return this.#ws !== null
  }

  buffered(): number {
    if (!this.#isClogged || this.#ws === null) return 0
    const bytes = this.#ws.getBufferedAmount()
    this.#isClogged = bytes > 0
    return bytes
  }

  /** Sends a text frame. What the system does not take now is copied. */
  send(frame: Uint8Array): void {
    if (this.#ws?.send(frame, false) === HAS_BACKPRESSURE) this.#isClogged = true
  }

  sendBinary(frame: Uint8Array): void {
    if (this.#ws?.send(frame, true) === HAS_BACKPRESSURE) this.#isClogged = true
  }

  /** Sends a close frame behind all that waits; the handler's `closed` is called before this returns. */
  end(code: number, reason: string): void {
    this.#ws?.end(code, reason)
  }

  /** Closes at once; the handler's `closed` is called before this returns. */
  destroy(): void {
    this.#ws?.close()
  }

  /** The library has closed it. */
  forget(): void {
    this.#ws = null
  }
}
