// A connection whose session outlives it: what the session says to the client is written here, what the client says to
// it goes to the attachment. The session may be hosted by any node; see broker/sessions/.
// Source: MQTT 5.0, 3.1.2.11.2, 4.1 and 4.3; MQTT 3.1.1, 4.1 and 4.3.
import { Message } from '../../broker/message.ts'
import { behindTopic } from '../../broker/run.ts'
import type { Attachment } from '../../broker/sessions/attachment.ts'
import type { Delivery } from '../../broker/sessions/delivery.ts'
import { withExpiry } from '../../broker/sessions/message-expiry.ts'
import type { SessionClient } from '../../broker/sessions/remote.ts'
import type { SessionPort } from '../../broker/sessions/session.ts'
import type { Connection } from './connection.ts'
import { sendPubcomp, sendPubrec, sendPubrel } from './qos2.ts'
import { SERVER_SHUTTING_DOWN } from './reason-codes.ts'
import { OPEN } from './state.ts'

const DUP = 0x08

export class ConnectionSession implements SessionClient, SessionPort {
  readonly port: SessionPort = this
  readonly inflightMax: number
  /** Null until the session is attached. */
  attachment: Attachment | null = null
  /** Settles when the session knows that the connection is over; null until it is. */
  detached: Promise<void> | null = null
  /** Ids of the client's publishes of QoS 2 that are not released. */
  readonly unreleased = new Set<number>()
  readonly #connection: Connection

  constructor(connection: Connection, inflightMax: number) {
    this.#connection = connection
    this.inflightMax = inflightMax
  }

  get isCongested(): boolean {
    const { outbox, gateway } = this.#connection
    return outbox.bytes > gateway.options.outboxBytesMax
  }

  publish(id: number, delivery: Delivery, dup: boolean, now: number): void {
    const connection = this.#connection
    if (connection.state !== OPEN) return
    const { gateway, version, outbox, deliveries } = connection
    const { encoder, counters } = gateway
    const { qos, retain, identifiers } = delivery
    encoder.write(messageOf(delivery, now), version, qos, retain, identifiers)
    const { buffer, start, end } = encoder
    if (end - start > deliveries.packetBytesMax) {
      counters.droppedTooLarge++ // [MQTT-3.1.2-25]
      // The session is in the middle of sending.
      if (id !== 0) gateway.broker.clock.defer(() => this.attachment?.discarded(id))
      return
    }
    if (id !== 0) {
      const place = behindTopic(buffer, start)
      buffer[place] = id >> 8
      buffer[place + 1] = id & 0xff
      if (dup) buffer[start]! |= DUP
    }
    outbox.push(buffer, start, end)
    counters.messagesOut++
    if (!connection.dirty) gateway.markDirty(connection)
  }

  pubrel(id: number, reason: number): void {
    sendPubrel(this.#connection, id, reason)
  }

  pubrec(id: number, reason: number): void {
    if (reason >= 0x80) this.unreleased.delete(id)
    sendPubrec(this.#connection, id, reason)
  }

  pubcomp(id: number, reason: number): void {
    this.unreleased.delete(id)
    sendPubcomp(this.#connection, id, reason)
  }

  lost(): void {
    this.#connection.close(SERVER_SHUTTING_DOWN)
  }

  /** The connection is over. Gives back the client id when the session knows. */
  detach(isAbnormal: boolean, expirySeconds: number | null): void {
    const { gateway, clientId } = this.#connection
    const release = (): void => gateway.broker.release(clientId, this.#connection)
    if (this.attachment === null) return release()
    this.detached = this.attachment.detach(isAbnormal, expirySeconds).then(release)
  }
}

/** The message with what is left of its expiry interval. [MQTT-3.3.2-6] */
function messageOf({ message, expiresAt }: Delivery, now: number): Message {
  if (expiresAt === Infinity || message.properties === null) return message
  const { topic, buffer, payloadStart, payloadEnd, qos, retain } = message
  const copy = new Message(topic, buffer, payloadStart, payloadEnd, qos, retain)
  copy.properties = withExpiry(message.properties, Math.max(0, Math.ceil((expiresAt - now) / 1000)))
  return copy
}
