// Three processes of aedes on one ring, and clients of MQTT.js at any of them.
import { fileURLToPath } from 'node:url'
import { connect, type IClientOptions, type MqttClient } from 'mqtt'
import { withDeadline } from '../../support/deadline.ts'
import { eventually } from '../../support/eventually.ts'
import { type Child, type Scope, startNode } from '../../support/process.ts'

const PROGRAM = fileURLToPath(new URL('./aedes-program.js', import.meta.url))

export interface Place {
  readonly id: string
  readonly port: number
  readonly child: Child
}

export interface Received {
  topic: string
  text: string
  qos: number
  retain: boolean
}

export class Guest {
  readonly mqtt: MqttClient
  readonly received: Received[] = []

  constructor(mqtt: MqttClient) {
    this.mqtt = mqtt
    mqtt.on('message', (topic, payload, { qos, retain }) => {
      this.received.push({ topic, text: payload.toString(), qos, retain })
    })
  }

  get texts(): string[] {
    return this.received.map(({ text }) => text)
  }

  async has(count: number): Promise<void> {
    await eventually(`${count} messages`, () => this.received.length >= count)
  }
}

export async function startPlace(scope: Scope, base: readonly string[]): Promise<Place> {
  const child = startNode(scope, PROGRAM, base)
  const [, id, port] = await child.line(/^up (\S+) (\d+)$/)
  return { id: id!, port: Number(port), child }
}

export async function startFleet(scope: Scope, count: number): Promise<Place[]> {
  const first = await startPlace(scope, [])
  const others = Array.from({ length: count - 1 }, () => startPlace(scope, [first.id]))
  return [first, ...(await Promise.all(others))]
}

/** A client that does not connect again by itself. Its messages are listened to before the first can come. */
export async function visit(scope: Scope, { port }: Place, options: IClientOptions = {}): Promise<Guest> {
  const mqtt = connect({ host: '127.0.0.1', port, reconnectPeriod: 0, ...options })
  scope.after(async () => void mqtt.end(true))
  const guest = new Guest(mqtt)
  mqtt.on('error', () => {})
  await withDeadline(new Promise(resolve => mqtt.once('connect', resolve)), 'the client is connected')
  return guest
}
