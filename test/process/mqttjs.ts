// MQTT.js with an inbox: 3.1.1 and 5.0, over TCP and over WebSocket.
import { connect, type IClientOptions, type IConnackPacket, type IPublishPacket, type MqttClient } from 'mqtt'
import { withDeadline } from '../support/deadline.ts'
import { eventually } from '../support/eventually.ts'
import type { Scope } from '../support/process.ts'
import type { NodeProcess } from './nodes.ts'

export interface Way {
  readonly version: 4 | 5
  readonly over: 'TCP' | 'WebSocket'
}

export const WAYS: readonly Way[] = [
  { version: 4, over: 'TCP' },
  { version: 5, over: 'TCP' },
  { version: 4, over: 'WebSocket' },
  { version: 5, over: 'WebSocket' }
]

export function nameOf({ version, over }: Way): string {
  return `MQTT ${version === 4 ? '3.1.1' : '5.0'} over ${over}`
}

export class MqttJs {
  readonly client: MqttClient
  readonly connack: IConnackPacket
  /** All PUBLISH packets that came, in order. */
  readonly inbox: IPublishPacket[] = []
  /** Reason codes of DISCONNECT packets that came. */
  readonly disconnects: number[] = []
  closed = false

  private constructor(client: MqttClient, connack: IConnackPacket) {
    this.client = client
    this.connack = connack
    client.on('message', (_topic, _payload, packet) => this.inbox.push(packet))
    client.on('disconnect', packet => this.disconnects.push(packet.reasonCode ?? 0))
    client.on('close', () => {
      this.closed = true
    })
    // A DISCONNECT is an error to MQTT.js as well: `disconnects` and `closed` say it.
    client.on('error', () => {})
  }

  /** Never connects again by itself. */
  static async connect(
    scope: Scope,
    node: NodeProcess,
    { version, over }: Way,
    options: IClientOptions = {}
  ): Promise<MqttJs> {
    const url = over === 'TCP' ? `mqtt://127.0.0.1:${node.mqttPort}` : node.webSocketUrl
    const client = connect(url, { protocolVersion: version, reconnectPeriod: 0, ...options })
    scope.after(() => {
      client.end(true)
    })
    const connack = new Promise<IConnackPacket>((resolve, reject) => {
      client.once('connect', resolve)
      client.once('error', reject)
    })
    return new MqttJs(client, await withDeadline(connack, `CONNACK for MQTT.js at ${node.name}`))
  }

  /** All packets, as soon as they are so many. */
  until(count: number): Promise<readonly IPublishPacket[]> {
    return eventually(`message ${count} at MQTT.js`, () => this.inbox.length >= count && this.inbox)
  }

  get texts(): string[] {
    return this.inbox.map(packet => String(packet.payload))
  }
}
