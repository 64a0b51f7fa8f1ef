// What a client answers to the packets of one read: four bytes each, gathered and written at once. All clients of a
// thread share the memory, since each read is answered before the next.
// Source: MQTT 3.1.1 and 5.0, section 4.3 (the exchanges of QoS 1 and 2).
import { Buffer } from 'node:buffer'

/** First bytes of the packets that are nothing but an id. */
export const REPLY = { puback: 0x40, pubrec: 0x50, pubrel: 0x62, pubcomp: 0x70 } as const

const REPLY_BYTES = 4
const REPLIES_MAX = 4_096

const bytes = Buffer.from(new ArrayBuffer(REPLY_BYTES * REPLIES_MAX))
let end = 0

/** Adds a reply. True when there is no room for another: they are to be taken now. */
export function addReply(first: number, packetId: number): boolean {
  bytes[end] = first
  bytes[end + 1] = 2
  bytes[end + 2] = packetId >>> 8
  bytes[end + 3] = packetId & 0xff
  end += REPLY_BYTES
  return end === bytes.length
}

/** A copy of what was gathered, which is then forgotten; undefined when there is nothing. */
export function takeReplies(): Buffer | undefined {
  if (end === 0) return undefined
  const taken = Buffer.from(bytes.subarray(0, end))
  end = 0
  return taken
}
