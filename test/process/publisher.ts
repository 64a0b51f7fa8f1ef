// A publisher of numbered messages with a packet log: MQTT 3.1.1 over a plain socket, QoS 1, at a steady
// rate over many topics. A message's payload is `number sentAtMs`; numbers count up within a topic.
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { performance } from 'node:perf_hooks'
import { generate, type Packet, parser } from 'mqtt-packet'

export interface LogEntry {
  readonly topic: string
  readonly number: number
  readonly sentAtMs: number
  /** -1: never. */
  ackedAtMs: number
}

const TICK_MS = 5

export class NumberedPublisher {
  readonly log: LogEntry[] = []
  readonly #topics: readonly string[]
  readonly #perSecond: number
  readonly #inFlight = new Map<number, LogEntry>()
  #socket: Socket | null = null
  #timer: NodeJS.Timeout | null = null
  #packetId = 0
  #next = 0

  constructor(topics: readonly string[], perSecond: number) {
    this.#topics = topics
    this.#perSecond = perSecond
  }

  get unacknowledged(): number {
    return this.#inFlight.size
  }

  async connect(port: number, clientId: string): Promise<void> {
    const socket = connect({ host: '127.0.0.1', port, noDelay: true })
    this.#socket = socket
    await once(socket, 'connect')
    const parse = parser({ protocolVersion: 4 })
    const connected = new Promise<void>((resolve, reject) => {
      parse.on('packet', (packet: Packet) => {
        if (packet.cmd === 'connack') {
          if (packet.returnCode === 0) resolve()
          else reject(new Error(`connect refused: ${packet.returnCode}`))
        }
        if (packet.cmd === 'puback') this.#acknowledged(packet.messageId ?? 0)
      })
    })
    socket.on('data', chunk => parse.parse(chunk))
    socket.on('error', () => {})
    socket.write(
      generate({
        cmd: 'connect',
        protocolId: 'MQTT',
        protocolVersion: 4,
        clean: true,
        clientId,
        keepalive: 0
      })
    )
    await connected
  }

  start(): void {
    let due = 0
    let last = performance.now()
    this.#timer = setInterval(() => {
      const now = performance.now()
      due += ((now - last) / 1000) * this.#perSecond
      last = now
      const packets: Buffer[] = []
      for (; due >= 1; due--) packets.push(this.#publish())
      if (packets.length > 0) this.#socket?.write(Buffer.concat(packets))
    }, TICK_MS)
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#timer = null
  }

  close(): void {
    this.stop()
    this.#socket?.destroy()
  }

  #publish(): Buffer {
    const topic = this.#topics[this.#next % this.#topics.length]!
    const number = Math.floor(this.#next++ / this.#topics.length)
    const entry = { topic, number, sentAtMs: performance.now(), ackedAtMs: -1 }
    this.log.push(entry)
    do this.#packetId = (this.#packetId % 65_535) + 1
    while (this.#inFlight.has(this.#packetId))
    this.#inFlight.set(this.#packetId, entry)
    const payload = `${number} ${entry.sentAtMs.toFixed(3)}`
    return generate({
      cmd: 'publish',
      topic,
      payload,
      qos: 1,
      messageId: this.#packetId,
      retain: false,
      dup: false
    })
  }

  #acknowledged(packetId: number): void {
    const entry = this.#inFlight.get(packetId)
    if (entry === undefined) return
    this.#inFlight.delete(packetId)
    entry.ackedAtMs = performance.now()
  }
}
