// A client's last will, published when its connection ends without a DISCONNECT that says all is well. Its
// delay is not waited for: such a session ends with its connection, and a will waits no longer than its session. Wills of
// sessions that outlive their connections are their owners' business (broker/sessions/session.ts).
// Source: MQTT 5.0, 3.1.2.5 and 3.1.3.2; MQTT 3.1.1, 3.1.2.5.
import { messageOf, type SessionWill } from '../../broker/sessions/will.ts'
import type { MqttGateway } from './gateway.ts'

/** The will of a client whose session ends with its connection. */
export function publishWill({ broker, counters }: MqttGateway, will: SessionWill): void {
  counters.willsPublished++
  broker.publish(messageOf(will, name => broker.topic(name)))
}
