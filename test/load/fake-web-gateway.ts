// A gateway of the browser protocol, of the plainest kind, on a bare socket: it puts several lines into one
// frame and cuts frames where it likes, as TCP may.
import { createHash } from 'node:crypto'
import { createServer, type Server, type Socket } from 'node:net'
import type { PublishRequest, Request } from '../../client-js/wire.ts'

export interface WebFaults {
  /** Leaves out a delivery. `index` counts deliveries from 0. */
  drop?: (index: number) => boolean
  /** Cuts what it writes into pieces of this many bytes. */
  pieceBytes?: number
  /** Refuses the upgrade. */
  refuse?: boolean
  /** Answers subscribes with an error. */
  forbid?: boolean
}

interface Session {
  socket: Socket
  filter: RegExp | undefined
  lines: string[]
}

function frame(text: string): Buffer {
  const body = Buffer.from(text)
  const header = Buffer.alloc(body.length < 126 ? 2 : body.length < 65_536 ? 4 : 10)
  header[0] = 0x81
  header[1] = body.length < 126 ? body.length : body.length < 65_536 ? 126 : 127
  if (header.length === 4) header.writeUInt16BE(body.length, 2)
  if (header.length === 10) header.writeBigUInt64BE(BigInt(body.length), 2)
  return Buffer.concat([header, body])
}

export class FakeWebGateway {
  readonly #server: Server
  readonly #faults: WebFaults
  readonly #sessions = new Set<Session>()
  #deliveries = 0
  /** Pongs that came for the pings that go before each batch of lines. */
  pongs = 0

  private constructor(faults: WebFaults) {
    this.#faults = faults
    this.#server = createServer(socket => this.#serve(socket))
  }

  static async start(faults: WebFaults = {}): Promise<FakeWebGateway> {
    const gateway = new FakeWebGateway(faults)
    await new Promise<void>(resolve => gateway.#server.listen(0, '127.0.0.1', resolve))
    return gateway
  }

  get url(): string {
    const address = this.#server.address()
    return `ws://127.0.0.1:${typeof address === 'object' ? address?.port : ''}/`
  }

  async close(): Promise<void> {
    for (const { socket } of this.#sessions) socket.destroy()
    await new Promise(resolve => this.#server.close(resolve))
  }

  #serve(socket: Socket): void {
    const session: Session = { socket, filter: undefined, lines: [] }
    this.#sessions.add(session)
    socket.on('error', () => {})
    socket.on('close', () => this.#sessions.delete(session))
    let waiting: Buffer = Buffer.alloc(0)
    let upgraded = false
    socket.on('data', chunk => {
      waiting = Buffer.concat([waiting, chunk])
      if (!upgraded) {
        const end = waiting.indexOf('\r\n\r\n')
        if (end === -1) return
        upgraded = true
        this.#upgrade(session, waiting.toString('latin1', 0, end))
        waiting = waiting.subarray(end + 4)
      }
      waiting = this.#takeFrames(session, waiting)
      for (const each of this.#sessions) this.#flush(each)
    })
  }

  #upgrade(session: Session, head: string): void {
    if (this.#faults.refuse) {
      session.socket.end('HTTP/1.1 503 Service Unavailable\r\n\r\n')
      return
    }
    const key = /Sec-WebSocket-Key: (\S+)/.exec(head)![1]!
    const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')
    this.#write(
      session,
      Buffer.from(
        `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`
      )
    )
  }

  #takeFrames(session: Session, bytes: Buffer): Buffer {
    let rest = bytes
    while (rest.length >= 2) {
      const short = rest[1]! & 0x7f
      const at = short < 126 ? 2 : short === 126 ? 4 : 10
      if (rest.length < at + 4) break
      const length =
        short < 126 ? short : short === 126 ? rest.readUInt16BE(2) : Number(rest.readBigUInt64BE(2))
      const end = at + 4 + length
      if (rest.length < end) break
      const mask = rest.subarray(at, at + 4)
      const body = rest.subarray(at + 4, end).map((byte, i) => byte ^ mask[i & 3]!)
      const opcode = rest[0]! & 15
      if (opcode === 1) this.#take(session, JSON.parse(Buffer.from(body).toString()) as Request)
      if (opcode === 8) session.socket.end()
      if (opcode === 10) this.pongs += 1
      rest = rest.subarray(end)
    }
    return rest
  }

  #take(session: Session, request: Request): void {
    const reply = (object: object) => session.lines.push(JSON.stringify(object))
    if (request.t === 'connect') {
      const limits = { frameBytes: 1_000_000, subscriptions: 10, publishWindow: 8, pingMs: 1_000 }
      reply({ t: 'welcome', version: 1, client: request.client, node: 'n', limits })
    } else if (request.t === 'subscribe') {
      if (this.#faults.forbid) {
        reply({ t: 'error', id: request.id, code: 'NOT_AUTHORISED', message: 'no', retryable: false })
        return
      }
      session.filter = new RegExp(`^${request.filter.replaceAll('+', '[^/]+').replace('#', '.*')}$`)
      reply({ t: 'subscribed', id: request.id })
    } else if (request.t === 'publish') {
      this.#publish(request)
      if (request.qos === 1) reply({ t: 'published', id: request.id, reason: 0 })
    }
  }

  #publish({ topic, text }: PublishRequest): void {
    for (const { filter, lines } of this.#sessions) {
      if (!filter?.test(topic)) continue
      const o = this.#deliveries++
      if (!this.#faults.drop?.(o)) lines.push(JSON.stringify({ m: topic, e: 1, o, p: text }))
    }
  }

  #flush(session: Session): void {
    if (session.lines.length === 0) return
    this.#write(session, Buffer.from([0x89, 0]))
    this.#write(session, frame(`${session.lines.join('\n')}\n`))
    session.lines.length = 0
  }

  #write({ socket }: Session, bytes: Buffer): void {
    const piece = this.#faults.pieceBytes ?? bytes.length
    for (let at = 0; at < bytes.length; at += piece) socket.write(bytes.subarray(at, at + piece))
  }
}
