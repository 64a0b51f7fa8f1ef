// A publisher of numbered messages with a packet log: MQTT 3.1.1 over a plain socket, QoS 1, at a steady
// rate over many topics. A message's payload is its number; numbers count up within a topic.
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { generate, type Packet, parser } from 'mqtt-packet'
import { Pacer } from './pacer.ts'

export interface LogEntry {
  readonly topic: string
  readonly number: number
  /** Of `performance.now()`. */
  readonly sentAtMs: number
  /** -1: never. */
  ackedAtMs: number
}

export interface Publisher {
  /** All that was sent, in order. */
  readonly log: readonly LogEntry[]
  readonly unacknowledged: number
  /** Why it cannot go on; null while it can. */
  readonly failure: Error | null
  start(): void
  stop(): void
  close(): void
}

/** There are 65,535 packet ids. What would be more in flight is not sent. */
const IN_FLIGHT_MAX = 60_000

export class NumberedPublisher implements Publisher {
  readonly log: LogEntry[] = []
  failure: Error | null = null
  readonly #topics: readonly string[]
  readonly #pacer: Pacer
  readonly #inFlight = new Map<number, LogEntry>()
  readonly #socket: Socket
  #packetId = 0
  #next = 0

  private constructor(socket: Socket, topics: readonly string[], perSecond: number) {
    this.#socket = socket
    this.#topics = topics
    this.#pacer = new Pacer(perSecond, count => this.#publish(count))
  }

  /** `perSecond` is of all topics together. */
  static async connect(
    port: number,
    clientId: string,
    topics: readonly string[],
    perSecond: number
  ): Promise<NumberedPublisher> {
    const socket = connect({ host: '127.0.0.1', port, noDelay: true })
    await once(socket, 'connect')
    const publisher = new NumberedPublisher(socket, topics, perSecond)
    await publisher.#open(clientId)
    return publisher
  }

  get unacknowledged(): number {
    return this.#inFlight.size
  }

  start(): void {
    this.#pacer.start()
  }

  stop(): void {
    this.#pacer.stop()
  }

  close(): void {
    this.stop()
    this.#socket.removeAllListeners('close')
    this.#socket.destroy()
  }

  #open(clientId: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const parse = parser({ protocolVersion: 4 })
      parse.on('packet', (packet: Packet) => {
        if (packet.cmd === 'puback') this.#acknowledged(packet.messageId ?? 0)
        if (packet.cmd !== 'connack') return
        if (packet.returnCode === 0) resolve()
        else reject(new Error(`connect refused: ${packet.returnCode}`))
      })
      this.#socket.on('data', chunk => parse.parse(chunk))
      this.#socket.on('error', error => {
        this.failure ??= error
      })
      this.#socket.on('close', () => {
        this.stop()
        this.failure ??= new Error('the node closed the connection of the publisher')
        reject(this.failure)
      })
      const common = { cmd: 'connect', protocolId: 'MQTT', protocolVersion: 4, clean: true } as const
      this.#socket.write(generate({ ...common, clientId, keepalive: 0 }))
    })
  }

  #publish(count: number): void {
    const packets: Buffer[] = []
    for (let left = count; left > 0 && this.#inFlight.size < IN_FLIGHT_MAX; left--)
      packets.push(this.#packet())
    if (packets.length > 0) this.#socket.write(Buffer.concat(packets))
  }

  #packet(): Buffer {
    const topic = this.#topics[this.#next % this.#topics.length]!
    const number = Math.floor(this.#next++ / this.#topics.length)
    const entry = { topic, number, sentAtMs: performance.now(), ackedAtMs: -1 }
    this.log.push(entry)
    do this.#packetId = (this.#packetId % 65_535) + 1
    while (this.#inFlight.has(this.#packetId))
    this.#inFlight.set(this.#packetId, entry)
    const header = { cmd: 'publish', qos: 1, retain: false, dup: false } as const
    return generate({ ...header, topic, payload: String(number), messageId: this.#packetId })
  }

  #acknowledged(packetId: number): void {
    const entry = this.#inFlight.get(packetId)
    if (entry === undefined) return
    this.#inFlight.delete(packetId)
    entry.ackedAtMs = performance.now()
  }
}
