// Connections that behave badly, many at once but never more than a few hundred.
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { withDeadline } from '../support/deadline.ts'
import type { Scope } from '../support/process.ts'

const AT_ONCE = 50
const CLOSE_DEADLINE_MS = 20_000

/** A socket whose errors are no news. It is destroyed with its scope. */
export async function open(scope: Scope, port: number): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true })
  socket.on('error', () => {})
  scope.after(() => {
    socket.destroy()
  })
  await once(socket, 'connect')
  return socket
}

/** Settles when the far side has closed, or reset, the connection. What it says until then is thrown away. */
export async function closedByNode(socket: Socket, what: string): Promise<void> {
  socket.resume()
  // Not `once`: a reset is an error first.
  const closed = new Promise<void>(resolve => {
    if (socket.closed) resolve()
    else socket.once('close', () => resolve())
  })
  await withDeadline(closed, `the node closes ${what}`, CLOSE_DEADLINE_MS)
}

/**
 * A socket that has sent `beginning` and got an answer, which a WebSocket waits for before it says more. A beginning
 * that is empty waits for nothing.
 */
export async function begin(scope: Scope, port: number, beginning: Uint8Array): Promise<Socket> {
  const socket = await open(scope, port)
  if (beginning.length === 0) return socket
  socket.write(beginning)
  await withDeadline(once(socket, 'readable'), 'the answer to a beginning')
  socket.read()
  return socket
}

export interface Pouring {
  readonly what: string
  readonly port: number
  readonly beginning: Uint8Array
  readonly inputs: readonly Uint8Array[]
}

/** Each input over a connection of its own, that ends after it. Settles when the node has closed all of them. */
export async function pour(scope: Scope, { what, port, beginning, inputs }: Pouring): Promise<void> {
  const left = inputs.entries()
  const work = async (): Promise<void> => {
    for (const [index, bytes] of left) {
      const socket = await begin(scope, port, beginning)
      socket.end(bytes)
      await closedByNode(socket, `${what}, number ${index}`)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
}

/** Settles when the kernel has taken all of the datagrams. */
export async function rain(port: number, datagrams: readonly Uint8Array[]): Promise<void> {
  const socket = createSocket('udp4')
  try {
    for (const datagram of datagrams) {
      await new Promise<void>((resolve, reject) => {
        socket.send(datagram, port, '127.0.0.1', error => (error === null ? resolve() : reject(error)))
      })
    }
  } finally {
    socket.close()
  }
}
