// A client's last will, published when its connection ends without a DISCONNECT that says all is well. Its
// delay is not waited for: sessions end with their connections, and a will waits no longer than its session.
// Source: MQTT 5.0, 3.1.2.5 and 3.1.3.2; MQTT 3.1.1, 3.1.2.5.
import { Message, type QoS, type TopicName } from '../../broker/message.ts'
import type { MqttGateway } from './gateway.ts'

export interface Will {
  topic: TopicName
  payload: Buffer
  qos: QoS
  retain: boolean
  /** v5, encoded; null if none. */
  properties: Uint8Array | null
}

export function publishWill(gateway: MqttGateway, will: Will): void {
  const { topic, payload, qos, retain, properties } = will
  const message = new Message(topic, payload, 0, payload.length, qos, retain)
  message.properties = properties
  gateway.counters.willsPublished++
  gateway.broker.publish(message)
}
