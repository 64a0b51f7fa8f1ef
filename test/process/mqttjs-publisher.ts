// The numbered publisher again, with MQTT.js: a client that is not ours, MQTT 5.0, QoS 1.
import { connect, type IConnackPacket, type MqttClient } from 'mqtt'
import { withDeadline } from '../support/deadline.ts'
import { Pacer } from './pacer.ts'
import type { LogEntry, Publisher } from './publisher.ts'

export class MqttJsPublisher implements Publisher {
  readonly log: LogEntry[] = []
  unacknowledged = 0
  failure: Error | null = null
  readonly #client: MqttClient
  readonly #topics: readonly string[]
  readonly #pacer: Pacer
  readonly #inFlightMax: number
  #next = 0

  private constructor(client: MqttClient, inFlightMax: number, topics: readonly string[], perSecond: number) {
    this.#client = client
    this.#inFlightMax = inFlightMax
    this.#topics = topics
    this.#pacer = new Pacer(perSecond, count => {
      for (let left = count; left > 0 && this.unacknowledged < this.#inFlightMax; left--) this.#publish()
    })
    client.on('close', () => {
      this.stop()
      this.failure ??= new Error('the node closed the connection of MQTT.js')
    })
    client.on('error', error => {
      this.failure ??= error
    })
  }

  static async connect(
    port: number,
    clientId: string,
    topics: readonly string[],
    perSecond: number
  ): Promise<MqttJsPublisher> {
    const client = connect(`mqtt://127.0.0.1:${port}`, { clientId, protocolVersion: 5, reconnectPeriod: 0 })
    const connack = new Promise<IConnackPacket>((resolve, reject) => {
      client.once('connect', resolve)
      client.once('error', reject)
    })
    // MQTT.js leaves it to its user to keep to the server's Receive Maximum. [MQTT-3.3.4-7]
    const { properties } = await withDeadline(connack, 'the CONNACK of MQTT.js')
    return new MqttJsPublisher(client, properties?.receiveMaximum ?? 65_535, topics, perSecond)
  }

  start(): void {
    this.#pacer.start()
  }

  stop(): void {
    this.#pacer.stop()
  }

  close(): void {
    this.stop()
    this.#client.end(true)
  }

  #publish(): void {
    const topic = this.#topics[this.#next % this.#topics.length]!
    const number = Math.floor(this.#next++ / this.#topics.length)
    const entry = { topic, number, sentAtMs: performance.now(), ackedAtMs: -1 }
    this.log.push(entry)
    this.unacknowledged++
    this.#client.publish(topic, String(number), { qos: 1 }, error => {
      if (error) {
        this.failure ??= error
        return
      }
      this.unacknowledged--
      entry.ackedAtMs = performance.now()
    })
  }
}
