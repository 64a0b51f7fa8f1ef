// A stream of bytes to a broker under test: TCP, or binary frames of a WebSocket.
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { withDeadline } from '../../support/deadline.ts'
import { WebSocketLink } from './web-socket.ts'

export interface Link {
  onData: (chunk: Buffer) => void
  /** Called once, when the other end has closed or the connection has failed. */
  set onClose(run: () => void)
  write(bytes: Buffer): void
  /** Without a goodbye, as when a network fails. */
  destroy(): void
}

class TcpLink implements Link {
  readonly #socket: Socket
  onData: (chunk: Buffer) => void = () => {}

  constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', chunk => this.onData(chunk))
  }

  set onClose(run: () => void) {
    this.#socket.once('close', run)
  }

  write(bytes: Buffer): void {
    this.#socket.write(bytes)
  }

  destroy(): void {
    this.#socket.destroy()
  }
}

/** Opens `mqtt://host:port` or `ws://host:port`. */
export async function openLink(url: string): Promise<Link> {
  const { protocol, hostname, port } = new URL(url)
  if (protocol === 'ws:') return await WebSocketLink.open(hostname, Number(port))
  const socket = connect({ host: hostname, port: Number(port), noDelay: true })
  socket.on('error', () => {})
  await withDeadline(once(socket, 'connect'), `a connection to ${url}`)
  return new TcpLink(socket)
}
