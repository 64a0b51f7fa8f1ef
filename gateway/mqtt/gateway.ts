// What all MQTT connections of a node share: options, counters, encoder, the list of those with output
// to write at the end of the tick, and the sweep that finds the silent ones.
import type { Broker } from '../../broker/broker.ts'
import { ShoalError } from '../../broker/errors.ts'
import { MESSAGE_BYTES_MAX } from '../../broker/message.ts'
import { RunView } from '../../broker/run.ts'
import type { Timer } from '../../broker/runtime/clock.ts'
import { Connection } from './connection.ts'
import { type MqttCounters, newCounters } from './counters.ts'
import { Header, PublishView } from './decode.ts'
import { Encoder } from './encode.ts'
import { STEP_MS, Sweep } from './keep-alive.ts'
import { MQTT_DEFAULTS, type MqttOptions } from './options.ts'
import { SERVER_SHUTTING_DOWN } from './reason-codes.ts'
import { Scratch } from './scratch.ts'
import type { ByteTransport } from './transport.ts'

export class MqttGateway {
  readonly broker: Broker
  readonly options: Readonly<MqttOptions>
  readonly counters: MqttCounters = newCounters()
  readonly connections = new Set<Connection>()
  readonly encoder = new Encoder()
  readonly scratch = new Scratch()
  /** Positions of the packet being read; of no meaning between two packets. */
  readonly header = new Header()
  readonly view = new PublishView()
  readonly run = new RunView()
  /** CONNACK as most v5 clients get it; null until the first. */
  connack5: Buffer | null = null
  /** Connections with output to write, or to be closed, when the tick ends. */
  dirty: Connection[] = []
  clean: Connection[] = []
  readonly #flushAll: () => void
  readonly #sweep = new Sweep(this)
  #sweeping: Timer | null = null
  #assigned = 0
  #closing = false
  #whenEmpty: (() => void)[] = []

  /** Options left out are `MQTT_DEFAULTS`. Throws OPTION_INVALID. */
  constructor(broker: Broker, options: Partial<MqttOptions> = {}) {
    this.broker = broker
    this.options = checkOptions({ ...MQTT_DEFAULTS, ...options })
    this.#flushAll = () => this.flush()
  }

  /**
   * Takes a new transport; feed the connection what it reads. Null, and the transport destroyed, when there are
   * `connectionsMax` already or the gateway is closing.
   */
  accept(transport: ByteTransport): Connection | null {
    if (this.#closing || this.connections.size >= this.options.connectionsMax) {
      this.counters.refused++
      transport.destroy()
      return null
    }
    const connection = new Connection(this, transport)
    this.connections.add(connection)
    this.counters.accepted++
    this.counters.connections++
    this.#sweeping ??= this.broker.clock.every(STEP_MS, () => this.#sweep.step())
    return connection
  }

  /** A client id for a client that leaves the choice to us; no other node gives the same. */
  assignClientId(): string {
    this.#assigned++
    return `shoal-${this.broker.instance}-${this.#assigned}`
  }

  /** Has the connection flushed when the tick ends. */
  markDirty(connection: Connection): void {
    connection.dirty = true
    this.dirty.push(connection)
    if (this.dirty.length === 1) this.broker.clock.defer(this.#flushAll)
  }

  /** Writes what the tick has gathered. */
  flush(): void {
    const dirty = this.dirty
    this.dirty = this.clean
    this.clean = dirty
    for (let i = 0; i < dirty.length; i++) {
      const connection = dirty[i]!
      connection.dirty = false
      connection.flush()
    }
    dirty.length = 0
    this.encoder.forget()
    this.scratch.forget()
  }

  /** The transport of a connection is closed. */
  forget(connection: Connection): void {
    if (!this.connections.delete(connection)) return
    this.counters.connections--
    if (this.connections.size > 0) return
    this.#sweeping?.cancel()
    this.#sweeping = null
    for (const run of this.#whenEmpty.splice(0)) run()
  }

  /** Closes all connections (v5: 0x8B); settles when their transports are closed, `lingerMs` at the latest. */
  async close(): Promise<void> {
    this.#closing = true
    for (const connection of [...this.connections]) connection.close(SERVER_SHUTTING_DOWN)
    if (this.connections.size === 0) return
    const empty = new Promise<void>(resolve => this.#whenEmpty.push(resolve))
    const deadline = this.broker.clock.after(this.options.lingerMs, () => {
      for (const connection of [...this.connections]) connection.destroy()
    })
    await empty
    deadline.cancel()
  }
}

function checkOptions(options: MqttOptions): Readonly<MqttOptions> {
  between(options, 'receiveMaximum', 1, 65_535)
  between(options, 'inflightMax', 1, 65_535)
  between(options, 'keepAliveMaxSeconds', 1, 65_535)
  between(options, 'packetBytesMax', 128, MESSAGE_BYTES_MAX)
  between(options, 'outboxBytesMax', options.packetBytesMax, Number.MAX_SAFE_INTEGER)
  between(options, 'queueBytesMax', options.packetBytesMax, Number.MAX_SAFE_INTEGER)
  return options
}

function between(options: MqttOptions, option: keyof MqttOptions, min: number, max: number): void {
  const value = options[option]
  if (typeof value === 'number' && value >= min && value <= max) return
  throw new ShoalError('OPTION_INVALID', { option, value, allowed: `${min}..${max}` })
}
