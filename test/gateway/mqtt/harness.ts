// A gateway over real sockets with a client that speaks in packets and in raw bytes; and one without sockets or
// time, where a test is the network and the clock.
import { once } from 'node:events'
import { connect as connectSocket, type Socket } from 'node:net'
import type { TestContext } from 'node:test'
import { generate, type Packet, type Parser, parser } from 'mqtt-packet'
import type { Clock, Timer } from '../../../broker/runtime/clock.ts'
import {
  type ByteTransport,
  type Connection,
  listenMqtt,
  MqttGateway,
  type MqttListener,
  type MqttListenOptions,
  type MqttOptions
} from '../../../gateway/mqtt/index.ts'
import { withDeadline } from '../../support/deadline.ts'
import { FakeBroker } from '../../support/fake-broker.ts'

export type Version = 4 | 5

/** A listener on a free port, closed when the test ends. */
export async function listening(
  t: TestContext,
  options: MqttListenOptions = {},
  broker = new FakeBroker()
): Promise<{ broker: FakeBroker; listener: MqttListener; port: number }> {
  const listener = await listenMqtt(broker, { port: 0, lingerMs: 200, ...options })
  t.after(() => listener.close())
  return { broker, listener, port: listener.address.port }
}

/** Packets and bytes to and from a gateway. */
export class RawClient {
  readonly socket: Socket
  readonly version: Version
  /** Packets that came and were not taken by `next`. */
  readonly packets: Packet[] = []
  /** Settles when the other end has closed. */
  readonly closed: Promise<unknown>
  #parser: Parser
  #waiting: (() => void) | null = null

  private constructor(socket: Socket, version: Version) {
    this.socket = socket
    this.version = version
    this.#parser = parser({ protocolVersion: version })
    this.#parser.on('packet', packet => {
      this.packets.push(packet)
      this.#waiting?.()
    })
    socket.on('data', chunk => this.#parser.parse(chunk))
    socket.on('error', () => {})
    this.closed = new Promise(resolve => socket.once('close', resolve))
  }

  static async open(t: TestContext, port: number, version: Version = 4): Promise<RawClient> {
    const socket = connectSocket({ port, host: '127.0.0.1', noDelay: true })
    await once(socket, 'connect')
    t.after(() => socket.destroy())
    return new RawClient(socket, version)
  }

  /** Connected: CONNACK has come, and is `packets[0]` no more. */
  static async connected(
    t: TestContext,
    port: number,
    version: Version = 4,
    connect: Partial<Extract<Packet, { cmd: 'connect' }>> = {}
  ): Promise<RawClient> {
    const client = await RawClient.open(t, port, version)
    client.connect(connect)
    await client.expect('connack')
    return client
  }

  connect(connect: Partial<Extract<Packet, { cmd: 'connect' }>> = {}): void {
    this.send({ cmd: 'connect', protocolVersion: this.version, clientId: '', clean: true, ...connect })
  }

  send(...packets: Packet[]): void {
    const options = { protocolVersion: this.version }
    this.write(Buffer.concat(packets.map(packet => generate(packet, options))))
  }

  write(bytes: Uint8Array): void {
    this.socket.write(bytes)
  }

  /** The next packet. */
  async next(): Promise<Packet> {
    while (this.packets.length === 0) {
      await withDeadline(
        Promise.race([
          new Promise<void>(resolve => {
            this.#waiting = resolve
          }),
          this.closed.then(() => {
            if (this.packets.length === 0) throw new Error('closed without the packet')
          })
        ]),
        'a packet'
      )
    }
    return this.packets.shift()!
  }

  /** The next packet, which must be of that kind. */
  async expect<C extends Packet['cmd']>(cmd: C): Promise<Extract<Packet, { cmd: C }>> {
    const packet = await this.next()
    if (packet.cmd !== cmd) throw new Error(`${cmd} expected, got ${JSON.stringify(packet)}`)
    return packet as Extract<Packet, { cmd: C }>
  }

  /** SUBSCRIBE, and its SUBACK's codes. */
  async subscribe(topic: string, qos: 0 | 1 | 2 = 0): Promise<number[]> {
    this.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic, qos }] })
    return (await this.expect('suback')).granted as number[]
  }

  /** All that was sent before has been handled: PINGREQ, and what came before PINGRESP. */
  async settled(): Promise<Packet[]> {
    this.send({ cmd: 'pingreq' })
    const before: Packet[] = []
    for (let packet = await this.next(); packet.cmd !== 'pingresp'; packet = await this.next())
      before.push(packet)
    return before
  }

  async isClosed(): Promise<void> {
    await withDeadline(this.closed, 'the close')
  }
}

/** Time that stands still until it is moved. `defer` runs at `run`, or when time moves. */
export class ManualClock implements Clock {
  time = 0
  #timers: { at: number; every: number; run: () => void; cancelled: boolean }[] = []
  #deferred: (() => void)[] = []

  now(): number {
    return this.time
  }

  wall(): number {
    return this.time
  }

  after(delayMs: number, run: () => void): Timer {
    return this.#set(delayMs, 0, run)
  }

  every(periodMs: number, run: () => void): Timer {
    return this.#set(periodMs, periodMs, run)
  }

  defer(run: () => void): void {
    this.#deferred.push(run)
  }

  get timers(): number {
    return this.#timers.length
  }

  /** Ends the tick: promises settle and what was deferred runs, until nothing is left. */
  async run(): Promise<void> {
    for (let rounds = 0; rounds < 20; rounds++) {
      await new Promise(resolve => setImmediate(resolve))
      for (const run of this.#deferred.splice(0)) run()
    }
  }

  async advance(ms: number): Promise<void> {
    const end = this.time + ms
    await this.run()
    for (;;) {
      this.#timers = this.#timers.filter(timer => !timer.cancelled)
      const next = this.#timers.filter(timer => timer.at <= end).sort((a, b) => a.at - b.at)[0]
      if (next === undefined) break
      this.time = next.at
      if (next.every > 0) next.at += next.every
      else next.cancelled = true
      next.run()
      await this.run()
    }
    this.time = end
  }

  #set(delayMs: number, every: number, run: () => void): Timer {
    const timer = { at: this.time + delayMs, every, run, cancelled: false }
    this.#timers.push(timer)
    return {
      cancel: () => {
        timer.cancelled = true
        this.#timers = this.#timers.filter(other => other !== timer)
      }
    }
  }
}

/** A network that a test plays: what is written is copied into `written`. */
export class MemoryTransport implements ByteTransport {
  readonly remoteAddress = '127.0.0.1'
  writable = true
  /** While true, a write is not taken: `writable` turns false until `take`. */
  stuck = false
  written: Buffer[] = []
  paused = false
  ended = false
  destroyed = false
  connection: Connection | null = null

  write(bytes: Uint8Array): void {
    this.written.push(Buffer.from(bytes))
    if (this.stuck) this.writable = false
  }

  pause(): void {
    this.paused = true
  }

  resume(): void {
    this.paused = false
  }

  end(): void {
    this.ended = true
    if (this.stuck) return
    this.connection?.onClose()
  }

  destroy(): void {
    this.destroyed = true
    this.connection?.onClose()
  }

  /** The network takes what it was given. */
  take(): void {
    this.writable = true
    this.connection?.onWritable()
  }

  /** The packets written since the last call. */
  packets(version: Version): Packet[] {
    const packets: Packet[] = []
    const parsing = parser({ protocolVersion: version })
    parsing.on('packet', packet => packets.push(packet))
    for (const bytes of this.written.splice(0)) parsing.parse(bytes)
    return packets
  }

  get bytes(): number {
    return this.written.reduce((sum, bytes) => sum + bytes.length, 0)
  }
}

/** A gateway whose time and network are the test's. */
export class Bench {
  readonly clock = new ManualClock()
  readonly broker = new FakeBroker({ clock: this.clock })
  readonly gateway: MqttGateway

  constructor(options: Partial<MqttOptions> = {}) {
    this.gateway = new MqttGateway(this.broker, options)
  }

  open(): { transport: MemoryTransport; connection: Connection } {
    const transport = new MemoryTransport()
    const connection = this.gateway.accept(transport)
    if (connection === null) throw new Error('refused')
    transport.connection = connection
    return { transport, connection }
  }

  /** A client that has its CONNACK. */
  async connected(
    version: Version = 4,
    connect: Partial<Extract<Packet, { cmd: 'connect' }>> = {}
  ): Promise<{ transport: MemoryTransport; connection: Connection; send: (...packets: Packet[]) => void }> {
    const { transport, connection } = this.open()
    const send = (...packets: Packet[]): void => {
      for (const packet of packets) connection.onData(generate(packet, { protocolVersion: version }))
    }
    send({ cmd: 'connect', protocolVersion: version, clientId: '', clean: true, ...connect })
    await this.clock.run()
    const [connack] = transport.packets(version)
    if (connack?.cmd !== 'connack') throw new Error(`no CONNACK: ${JSON.stringify(connack)}`)
    return { transport, connection, send }
  }
}
