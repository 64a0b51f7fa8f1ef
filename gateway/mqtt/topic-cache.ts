// From the bytes of a topic to the node's object for it. Publishers repeat themselves: most packets
// carry the topic of the one before, and comparing bytes is cheaper than making a string.
import type { Broker } from '../../broker/broker.ts'
import { ShoalError } from '../../broker/errors.ts'
import type { TopicName } from '../../broker/message.ts'
import { MALFORMED_PACKET, SUCCESS, TOPIC_NAME_INVALID } from './reason-codes.ts'
import { hasWildcard, isString } from './utf8.ts'

/** Topics remembered besides the last; at the limit all of them are forgotten. */
const ENTRIES_MAX = 256
/** Longer topics are looked up each time. */
const ENTRY_BYTES_MAX = 256

/** One a connection, since a topic's object is not to be kept longer than one. */
export class TopicCache {
  broker: Broker
  last: TopicName | null = null
  /** By the topic's bytes read as Latin-1, which is a string a byte for byte. Made for the second topic. */
  others: Map<string, TopicName> | null = null
  /** Why the last `find` found nothing. */
  reason = SUCCESS

  constructor(broker: Broker) {
    this.broker = broker
  }

  /** The topic whose name is `start..end`; null if it is none, and then `reason` says why. */
  find(buffer: Buffer, start: number, end: number): TopicName | null {
    const last = this.last
    if (last !== null && isEqual(last.bytes, buffer, start, end)) return last
    return this.#look(buffer, start, end)
  }

  #look(buffer: Buffer, start: number, end: number): TopicName | null {
    const key = buffer.toString('latin1', start, end)
    let topic = this.others?.get(key)
    if (topic === undefined) {
      const made = this.#make(buffer, start, end)
      if (made === null) return null
      topic = made
      if (this.last !== null && end - start <= ENTRY_BYTES_MAX) {
        this.others ??= new Map()
        if (this.others.size >= ENTRIES_MAX) this.others.clear()
        this.others.set(key, topic)
      }
    }
    this.last = topic
    return topic
  }

  #make(buffer: Buffer, start: number, end: number): TopicName | null {
    if (!isString(buffer, start, end)) {
      this.reason = MALFORMED_PACKET // [MQTT-3.3.2-1]
      return null
    }
    if (hasWildcard(buffer, start, end)) {
      this.reason = TOPIC_NAME_INVALID // [MQTT-3.3.2-2]
      return null
    }
    try {
      return this.broker.topic(buffer.toString('utf8', start, end))
    } catch (error) {
      if (!(error instanceof ShoalError)) throw error
      this.reason = TOPIC_NAME_INVALID
      return null
    }
  }
}

function isEqual(bytes: Uint8Array, buffer: Uint8Array, start: number, end: number): boolean {
  const length = bytes.length
  if (length !== end - start) return false
  // From the end: topics of one publisher differ there.
  for (let i = length - 1; i >= 0; i--) {
    if (bytes[i] !== buffer[start + i]) return false
  }
  return true
}
