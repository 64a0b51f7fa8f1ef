// PUBLISH packets for subscribers. What many of them get alike is what was read, or is written once, into a slab:
// QoS 0 in the message's own caches, QoS 1 as the encoder's last template, whose packet ids each
// subscriber's outbox replaces in its own copy. A run goes the same way, all its packets at once.
// Source: MQTT 5.0, 3.3; MQTT 3.1.1, 3.3.
import type { Message } from '../../broker/message.ts'
import { behindTopic, packetEnd } from '../../broker/run.ts'
import { copyBytes } from './copy.ts'
import type { Version } from './decode.ts'
import { Slab } from './slab.ts'

const PUBLISH = 0x30
const SUBSCRIPTION_IDENTIFIER = 0x0b
const none: readonly number[] = []
const nothing = Buffer.alloc(0)

/** The last message of QoS 1 in one protocol version: its packets, `start..end` of `buffer`, without ids of their own. */
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
  readonly template4 = new Template()
  readonly template5 = new Template()
  readonly slab = new Slab()

  /**
   * The message, or all packets of a run, as subscribers of `version` get them at `qos`, RETAIN 0, no subscription
   * identifiers: as they were read if that will do, else written once for all of them.
   */
  find(message: Message, version: Version, qos: 0 | 1): void {
    if (message.packetVersion === version && message.qos === qos) {
      this.buffer = message.buffer
      this.start = message.packetStart
      this.end = message.payloadEnd
    } else if (qos === 1) {
      this.#findTemplate(message, version)
    } else if (version === 4) {
      if (message.mqtt3 === null) {
        this.#writeAll(message, 4, 0)
        message.mqtt3 = this.buffer
        message.mqtt3Start = this.start
        message.mqtt3End = this.end
      }
      this.buffer = message.mqtt3!
      this.start = message.mqtt3Start
      this.end = message.mqtt3End
    } else {
      if (message.mqtt5 === null) {
        this.#writeAll(message, 5, 0)
        message.mqtt5 = this.buffer
        message.mqtt5Start = this.start
        message.mqtt5End = this.end
      }
      this.buffer = message.mqtt5!
      this.start = message.mqtt5Start
      this.end = message.mqtt5End
    }
  }

  /** Forgets the last message, so that it and its chunk are not kept. */
  forget(): void {
    this.template4.message = null
    this.template4.buffer = nothing
    this.template5.message = null
    this.template5.buffer = nothing
    this.buffer = nothing
  }

  /** Writes one message as a PUBLISH into the slab, its packet id 0: `buffer`, `start` and `end` say where. */
  write(
    message: Message,
    version: Version,
    qos: 0 | 1,
    retain: boolean,
    identifiers: readonly number[]
  ): void {
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

  #findTemplate(message: Message, version: Version): void {
    const template = version === 4 ? this.template4 : this.template5
    if (template.message !== message) {
      this.#writeAll(message, version, 1)
      template.message = message
      template.buffer = this.buffer
      template.start = this.start
      template.end = this.end
    }
    this.buffer = template.buffer
    this.start = template.start
    this.end = template.end
  }

  #writeAll(message: Message, version: Version, qos: 0 | 1): void {
    if (message.count === 1) this.write(message, version, qos, false, none)
    else this.#writeRun(message, version, qos)
  }

  /** The packets of a run, of another version or QoS than they were read in, one behind the other. */
  #writeRun(run: Message, version: Version, qos: 0 | 1): void {
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
  qos: 0 | 1
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
