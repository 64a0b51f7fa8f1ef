// QoS 2 with a client whose session ends with its connection, both ways: what it publishes is published once and
// acknowledged when it is safe; what is sent to it keeps its packet id until PUBCOMP. A session that stays does the same
// at its owner (broker/sessions/session.ts).
// Source: MQTT 5.0, 3.5 - 3.7 and 4.3.3; MQTT 3.1.1 likewise.
import type { Message, Receipt } from '../../broker/message.ts'
import { Received } from '../../broker/sessions/received.ts'
import type { Connection } from './connection.ts'
import type { Version } from './decode.ts'
import { checkAcknowledgement, packetId } from './decode.ts'
import { IDENTIFIER_NOT_FOUND, IMPLEMENTATION_SPECIFIC, SUCCESS } from './reason-codes.ts'

const PUBREC = 0x50
const PUBREL = 0x62
const PUBCOMP = 0x70

/** A client's own publishes of QoS 2. */
export class Qos2 implements Receipt {
  readonly received = new Received()
  readonly #connection: Connection

  constructor(connection: Connection) {
    this.#connection = connection
  }

  /** Publishes it, unless it has come before. */
  publish(id: number, message: Message): boolean {
    const arrival = this.received.arrived(id)
    if (arrival === 'received') sendPubrec(this.#connection, id, SUCCESS)
    if (arrival !== 'new') return true
    message.receipt = this
    message.token = id
    return this.#connection.gateway.broker.publish(message)
  }

  published(token: number, reason: number): void {
    for (const pubrec of this.received.settle(token, reason)) {
      sendPubrec(this.#connection, pubrec.id, pubrec.reason)
    }
  }

  release(id: number): void {
    sendPubcomp(this.#connection, id, this.received.release(id) ? SUCCESS : IDENTIFIER_NOT_FOUND)
  }
}

/** PUBREC: the client has the message, or (v5, reason >= 0x80) does not want it. */
export function onPubrec(connection: Connection, chunk: Buffer, start: number, end: number): void {
  const fault = checkAcknowledgement(chunk, start, end, connection.version, 'published')
  if (fault !== SUCCESS) return connection.refuse(fault)
  const id = packetId(chunk, start)
  const reason = reasonOf(chunk, start, end)
  const { deliveries, session } = connection
  if (session !== null) return session.attachment?.pubrec(id, reason)
  const isKnown = deliveries.inflight?.has(id) === true
  if (reason < 0x80)
    sendPubrel(connection, id, isKnown ? SUCCESS : IDENTIFIER_NOT_FOUND) // [MQTT-4.3.3-4]
  else if (deliveries.acknowledge(id)) connection.drain()
}

/** PUBREL: the client will not send this publish again. */
export function onPubrel(connection: Connection, chunk: Buffer, start: number, end: number): void {
  const fault = checkAcknowledgement(chunk, start, end, connection.version, 'released')
  if (fault !== SUCCESS) return connection.refuse(fault)
  const { session } = connection
  if (session !== null) return session.attachment?.pubrel(packetId(chunk, start))
  connection.qos2 ??= new Qos2(connection)
  connection.qos2.release(packetId(chunk, start)) // [MQTT-4.3.3-11]
}

/** PUBCOMP: the packet id is free. */
export function onPubcomp(connection: Connection, chunk: Buffer, start: number, end: number): void {
  const fault = checkAcknowledgement(chunk, start, end, connection.version, 'released')
  if (fault !== SUCCESS) return connection.refuse(fault)
  const { session } = connection
  if (session !== null) session.attachment?.pubcomp(packetId(chunk, start))
  else if (connection.deliveries.acknowledge(packetId(chunk, start))) connection.drain()
}

export function sendPubrec(connection: Connection, id: number, reason: number): void {
  // 3.1.1 cannot say no: not to acknowledge is to close.
  if (reason >= 0x80 && connection.version === 4) connection.closeSoon(IMPLEMENTATION_SPECIFIC)
  else connection.send(packetOf(PUBREC, id, reason, connection.version))
}

export function sendPubrel(connection: Connection, id: number, reason: number): void {
  connection.send(packetOf(PUBREL, id, reason, connection.version))
}

export function sendPubcomp(connection: Connection, id: number, reason: number): void {
  connection.send(packetOf(PUBCOMP, id, reason, connection.version))
}

/** The reason of a PUBREC; 3.1.1 has none. */
export function reasonOf(chunk: Buffer, start: number, end: number): number {
  return end - start > 2 ? chunk[start + 2]! : SUCCESS
}

function packetOf(first: number, id: number, reason: number, version: Version): Buffer {
  const [high, low] = [id >> 8, id & 0xff]
  return reason === SUCCESS || version === 4
    ? Buffer.from([first, 2, high, low])
    : Buffer.from([first, 3, high, low, reason])
}
