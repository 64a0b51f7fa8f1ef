// A WebSocket by hand, so that frames can be put together as a statement wants them, text frames included.
// The mask that clients must use is of zeros: it changes nothing, and what is written stays readable.
// Source: RFC 6455, sections 1.3 and 5.2.
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { withDeadline } from '../../support/deadline.ts'
import type { Link } from './link.ts'

const TEXT = 1
export const BINARY = 2
const CLOSE = 8
const PING = 9
const PONG = 10

export class WebSocketLink implements Link {
  readonly #socket: Socket
  #input: Buffer = Buffer.alloc(0)
  onData: (chunk: Buffer) => void = () => {}
  /** The sub protocol that the server has chosen, or null. */
  readonly protocol: string | null

  private constructor(socket: Socket, protocol: string | null) {
    this.#socket = socket
    this.protocol = protocol
  }

  static async open(host: string, port: number, offered = 'mqtt'): Promise<WebSocketLink> {
    const socket = connect({ host, port, noDelay: true })
    socket.on('error', () => {})
    await withDeadline(once(socket, 'connect'), 'a connection')
    const protocol = offered === '' ? [] : [`Sec-WebSocket-Protocol: ${offered}`]
    const head = ['GET / HTTP/1.1', `Host: ${host}:${port}`, 'Upgrade: websocket', 'Connection: Upgrade']
    const key = ['Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', 'Sec-WebSocket-Version: 13']
    socket.write([...head, ...key, ...protocol, '', ''].join('\r\n'))
    let answer = Buffer.alloc(0)
    const answered = new Promise<number>((resolve, reject) => {
      socket.on('data', chunk => {
        answer = Buffer.concat([answer, chunk])
        const end = answer.indexOf('\r\n\r\n')
        if (end >= 0) resolve(end + 4)
      })
      socket.once('close', () => reject(new Error('closed without an answer')))
    })
    const end = await withDeadline(answered, 'the answer to the handshake')
    socket.removeAllListeners('data')
    const header = answer.toString('latin1', 0, end)
    if (!header.startsWith('HTTP/1.1 101')) throw new Error(`not a WebSocket: ${header.split('\r\n')[0]}`)
    const link = new WebSocketLink(socket, header.match(/^sec-websocket-protocol: *(.*?)\r$/im)?.[1] ?? null)
    socket.on('data', chunk => link.#read(chunk))
    link.#read(answer.subarray(end))
    return link
  }

  set onClose(run: () => void) {
    this.#socket.once('close', run)
  }

  write(bytes: Buffer): void {
    this.frame(BINARY, bytes)
  }

  writeText(text: string): void {
    this.frame(TEXT, Buffer.from(text))
  }

  frame(opcode: number, payload: Buffer): void {
    const { length } = payload
    const size = length < 126 ? [0x80 | length] : length < 65_536 ? [0xfe, length >>> 8, length & 0xff] : null
    const long = Buffer.from([0xff, 0, 0, 0, 0, 0, 0, 0, 0])
    long.writeUInt32BE(length, 5)
    const mask = Buffer.alloc(4)
    this.#socket.write(
      Buffer.concat([Buffer.from([0x80 | opcode]), size === null ? long : Buffer.from(size), mask, payload])
    )
  }

  destroy(): void {
    this.#socket.destroy()
  }

  #read(chunk: Buffer): void {
    this.#input = Buffer.concat([this.#input, chunk])
    for (;;) {
      const input = this.#input
      if (input.length < 2) return
      const short = input[1]! & 0x7f
      const start = short < 126 ? 2 : short === 126 ? 4 : 10
      if (input.length < start) return
      const length = short < 126 ? short : short === 126 ? input.readUInt16BE(2) : input.readUInt32BE(6)
      if (input.length < start + length) return
      this.#input = input.subarray(start + length)
      this.#frameCame(input[0]! & 0x0f, input.subarray(start, start + length))
    }
  }

  #frameCame(opcode: number, payload: Buffer): void {
    if (opcode === PING) return this.frame(PONG, payload)
    if (opcode === CLOSE) {
      this.#socket.end()
    } else if (opcode <= BINARY) this.onData(payload)
  }
}
