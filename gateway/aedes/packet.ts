// Packets of aedes as bytes. What is stored and sent is never an object that somebody else may still change, and its size is
// known. Functions that aedes hangs on its packets stay behind.
import { decodeValue, encodeValue } from '../../broker/link/value.ts'

/** As much of a packet of aedes as matters here; all its other fields are carried along. */
export interface Packet {
  cmd?: string
  topic?: string
  payload?: Buffer | string
  qos?: number
  retain?: boolean
  dup?: boolean
  /** With `brokerCounter` the packet's name, at which aedes knows it again. */
  brokerId?: string | null
  brokerCounter?: number
  messageId?: number | undefined
  clientId?: string
  [field: string]: unknown
}

/** Throws BAD_REQUEST for what cannot be sent, such as a cycle. */
export function encodePacket(packet: object): Uint8Array {
  const fields: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(packet)) if (typeof value !== 'function') fields[name] = value
  return encodeValue(fields)
}

/** A new packet, whose bytes are its own. */
export function decodePacket(bytes: Uint8Array): Packet {
  return decodeValue(Buffer.from(bytes)) as Packet
}

const CARRIED = ['clientId', 'nl', 'properties', 'messageExpiry'] as const

/** As aedes-packet makes it for a queue: the fields that a client is sent, and the packet's name. */
export function queuedPacket(packet: Packet): Packet {
  const queued: Packet = {}
  const fields: Record<string, unknown> = queued
  for (const field of CARRIED) if (Object.hasOwn(packet, field)) fields[field] = packet[field]
  queued.cmd = packet.cmd ?? 'publish'
  queued.brokerId = publisherOf(packet) ?? null
  queued.brokerCounter = packet.brokerCounter ?? 0
  if (packet.topic !== undefined) queued.topic = packet.topic
  queued.payload = packet.payload ?? Buffer.alloc(0)
  queued.qos = packet.qos ?? 0
  queued.retain = packet.retain ?? false
  queued.dup = packet.dup ?? false
  return queued
}

/** What parts the id of a broker from the lane its packet came in by: see lanes.ts. */
export const LANE_MARK = '\0'

/** The id of the broker that published it, as that broker knows itself. */
export function publisherOf({ brokerId }: Packet): string | undefined {
  if (typeof brokerId !== 'string' || brokerId === '') return undefined
  const mark = brokerId.indexOf(LANE_MARK)
  return mark === -1 ? brokerId : brokerId.slice(0, mark)
}
