// PUBLISH packets for subscribers. What many of them get alike is what was read; or it is written once, into a slab,
// and remembered until the next message, since a message goes to all its subscribers before the next one does. At QoS 1 and 2
// each subscriber's outbox puts ids of its own into its own copy. A run goes the same way, all its packets at once.
// Source: MQTT 5.0, 3.3; MQTT 3.1.1, 3.3.
import type { Message, QoS } from '../../broker/message.ts'
import { behindTopic, packetEnd } from '../../broker/run.ts'
import { copyBytes } from './copy.ts'
import type { Version } from './decode.ts'
import { Slab } from './slab.ts'

const PUBLISH = 0x30
const SUBSCRIPTION_IDENTIFIER = 0x0b
const none: readonly number[] = []
const nothing = Buffer.alloc(0)

/** The last message in one version and QoS: its packets, `start..end` of `buffer`, without ids of their own. */
class Template {
  message: Message | null = null
  buffer: Uint8Array = nothing
  start = 0
  end = 0
}

export class Encoder {
  /** What the last call found or made. */
  buffer: Uint8Array = nothing
  start = 0
  end = 0
  readonly slab = new Slab()
  /** v3.1.1 at QoS 0, 1 and 2, then v5. */
  readonly #templates = Array.from({ length: 6 }, () => new Template())

  /**
   * The message, or all packets of a run, as subscribers of `version` get them at `qos`, RETAIN 0, no subscription
   * identifiers: as they were read if that will do, else written once for all of them.
   */
  find(message: Message, version: Version, qos: QoS): void {
    if (message.packetVersion === version && message.qos === qos) {
      this.buffer = message.buffer
      this.start = message.packetStart
      this.end = message.payloadEnd
      return
    }
    const template = this.#templates[version === 4 ? qos : 3 + qos]!
    if (template.message === message) {
      this.buffer = template.buffer
      this.start = template.start
      this.end = template.end
      return
    }
    if (message.count === 1) this.write(message, version, qos, false, none)
    else this.#writeRun(message, version, qos)
    template.message = message
    template.buffer = this.buffer
    template.start = this.start
    template.end = this.end
  }

  /** Forgets the last messages, so that they and their chunks are not kept. */
  forget(): void {
    for (let i = 0; i < this.#templates.length; i++) {
      const template = this.#templates[i]!
      template.message = null
      template.buffer = nothing
    }
    this.buffer = nothing
  }

  /** Writes one message as a PUBLISH into the slab, its packet id 0: `buffer`, `start` and `end` say where. */
  write(message: Message, version: Version, qos: QoS, retain: boolean, identifiers: readonly number[]): void {
    const topic = message.topic.bytes
    const properties = version === 5 ? message.properties : null
    let propertyBytes = properties === null ? 0 : properties.length
    for (let i = 0; i < identifiers.length; i++) propertyBytes += 1 + variableSize(identifiers[i]!)
    let length = 2 + topic.length + (qos === 0 ? 0 : 2) + message.payloadEnd - message.payloadStart
    if (version === 5) length += variableSize(propertyBytes) + propertyBytes

    this.slab.take(1 + variableSize(length) + length)
    const buffer = this.slab.buffer
    const start = this.slab.start
    let at = writeHead(buffer, start, PUBLISH | (qos << 1) | (retain ? 1 : 0), length, topic, qos)
    if (version === 5) {
      at = writeVariable(buffer, at, propertyBytes)
      for (let i = 0; i < identifiers.length; i++) {
        buffer[at++] = SUBSCRIPTION_IDENTIFIER
        at = writeVariable(buffer, at, identifiers[i]!)
      }
      if (properties !== null) at = copyBytes(buffer, at, properties, 0, properties.length)
    }
    at = copyBytes(buffer, at, message.buffer, message.payloadStart, message.payloadEnd)
    this.buffer = buffer
    this.start = start
    this.end = at
  }

  /** The packets of a run, of another version or QoS than they were read in, one behind the other. */
  #writeRun(run: Message, version: Version, qos: QoS): void {
    const topic = run.topic.bytes
    const from = run.buffer
    const before = (run.qos === 0 ? 0 : 2) + (run.packetVersion === 5 ? 1 : 0)
    const after = (qos === 0 ? 0 : 2) + (version === 5 ? 1 : 0)
    // A packet grows by three bytes at most, and by one more for a length that needs another byte.
    this.slab.take(run.payloadEnd - run.packetStart + 4 * run.count)
    const buffer = this.slab.buffer
    let at = this.slab.start
    for (let packet = run.packetStart; packet < run.payloadEnd; ) {
      const end = packetEnd(from, packet)
      const payload = behindTopic(from, packet) + before
      at = writeHead(buffer, at, PUBLISH | (qos << 1), 2 + topic.length + after + end - payload, topic, qos)
      if (version === 5) buffer[at++] = 0
      at = copyBytes(buffer, at, from, payload, end)
      packet = end
    }
    this.slab.endAt(at)
    this.buffer = buffer
    this.start = this.slab.start
    this.end = at
  }
}

/** A PUBLISH up to its properties (v5) or its payload, its packet id 0; `length` bytes follow the length. Returns where it ends. */
function writeHead(
  buffer: Uint8Array,
  start: number,
  first: number,
  length: number,
  topic: Uint8Array,
  qos: QoS
): number {
  buffer[start] = first
  let at = writeVariable(buffer, start + 1, length)
  buffer[at++] = topic.length >> 8
  buffer[at++] = topic.length & 0xff
  at = copyBytes(buffer, at, topic, 0, topic.length)
  if (qos === 0) return at
  buffer[at] = 0
  buffer[at + 1] = 0
  return at + 2
}

/** Bytes of a variable byte integer. */
export function variableSize(value: number): number {
  if (value < 128) return 1
  if (value < 16_384) return 2
  return value < 2_097_152 ? 3 : 4
}

function writeVariable(buffer: Uint8Array, at: number, value: number): number {
  while (value > 127) {
    buffer[at++] = (value & 0x7f) | 0x80
    value >>>= 7
  }
  buffer[at++] = value
  return at
}
