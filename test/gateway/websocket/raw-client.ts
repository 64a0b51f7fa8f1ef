// A WebSocket that speaks the protocol by hand, for tests: sends what it is told, keeps what comes.
import { once } from 'node:events'
import WebSocket from 'ws'
import type { GoodbyeReply, MessageFrame, Reply, Request, WelcomeReply } from '../../../client-js/wire.ts'

const DEADLINE_MS = 5_000

export type Received = Reply | MessageFrame

export class RawClient {
  readonly socket: WebSocket
  /** All objects that came, in order. */
  readonly received: Received[] = []
  /** How many lines each frame had. */
  readonly frames: number[] = []
  closeCode = 0
  #taken = 0
  #wake: () => void = () => {}

  constructor(port: number, options: WebSocket.ClientOptions = {}, protocols: string[] = []) {
    this.socket = new WebSocket(`ws://127.0.0.1:${port}/`, protocols, options)
    this.socket.on('message', data => {
      const lines = String(data)
        .split('\n')
        .filter(line => line !== '')
      this.frames.push(lines.length)
      for (const line of lines) this.received.push(JSON.parse(line) as Received)
      this.#wake()
    })
    this.socket.on('close', code => {
      this.closeCode = code
      this.#wake()
    })
    this.socket.on('error', () => {})
  }

  /** A client that is welcomed. */
  static async connected(port: number, client?: string): Promise<RawClient> {
    const raw = await RawClient.open(port)
    raw.send(client === undefined ? { t: 'connect', version: 1 } : { t: 'connect', version: 1, client })
    await raw.take('welcome')
    return raw
  }

  static async open(port: number): Promise<RawClient> {
    const raw = new RawClient(port)
    await once(raw.socket, 'open')
    return raw
  }

  send(...requests: Request[]): void {
    this.socket.send(requests.map(request => JSON.stringify(request)).join('\n'))
  }

  sendText(text: string): void {
    this.socket.send(text)
  }

  /** The next message that was not taken yet. What lies before it is left out. */
  async message(): Promise<MessageFrame> {
    return (await this.#find(object => !('t' in object))) as MessageFrame
  }

  /** The next reply of that type that was not taken yet. What lies before it is left out. */
  async take<T extends Reply['t']>(t: T): Promise<Extract<Reply, { t: T }>> {
    return (await this.#find(object => 't' in object && object.t === t)) as Extract<Reply, { t: T }>
  }

  /** The goodbye, and the code of the close that follows. */
  async end(): Promise<{ goodbye: GoodbyeReply; code: number }> {
    const goodbye = await this.take('goodbye')
    return { goodbye, code: await this.closed() }
  }

  async closed(): Promise<number> {
    await this.#until(() => this.socket.readyState === WebSocket.CLOSED)
    return this.closeCode
  }

  async subscribe(id: number, filter: string): Promise<void> {
    this.send({ t: 'subscribe', id, filter })
    await this.take('subscribed')
  }

  close(): void {
    this.socket.terminate()
  }

  get welcome(): WelcomeReply {
    return this.received[0] as WelcomeReply
  }

  async #find(isWanted: (object: Received) => boolean): Promise<Received> {
    let found: Received | undefined
    await this.#until(() => {
      while (this.#taken < this.received.length) {
        const object = this.received[this.#taken++]!
        if (isWanted(object)) {
          found = object
          return true
        }
      }
      return false
    })
    return found!
  }

  async #until(condition: () => boolean): Promise<void> {
    const deadline = performance.now() + DEADLINE_MS
    while (!condition()) {
      const leftMs = deadline - performance.now()
      if (leftMs <= 0)
        throw new Error(`not within ${DEADLINE_MS} ms; got ${JSON.stringify(this.received.slice(-5))}`)
      await new Promise<void>(resolve => {
        const timer = setTimeout(resolve, leftMs)
        this.#wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
  }
}
