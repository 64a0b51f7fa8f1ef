// Writes PUBLISH packets. What many subscribers get alike is written once, into a slab, and shared:
// QoS 0 in the message's own caches, QoS 1 as the encoder's last template, whose packet id each
// subscriber's outbox replaces in its own copy.
// Source: MQTT 5.0, 3.3; MQTT 3.1.1, 3.3.
import type { Message } from '../../broker/message.ts'
import { copyBytes } from './copy.ts'
import type { Version } from './decode.ts'
import { Slab } from './slab.ts'

const PUBLISH = 0x30
const SUBSCRIPTION_IDENTIFIER = 0x0b
const none: readonly number[] = []
const nothing = Buffer.alloc(0)

/** A QoS 1 packet of one protocol version, to be copied: `start..end` of `buffer`, its packet id at `start + idOffset`. */
export class Template {
  message: Message | null = null
  buffer: Uint8Array = nothing
  start = 0
  end = 0
  idOffset = 0

  set(message: Message | null, buffer: Uint8Array, start: number, end: number, idOffset: number): void {
    this.message = message
    this.buffer = buffer
    this.start = start
    this.end = end
    this.idOffset = idOffset
  }
}

export class Encoder {
  /** What the last `write` made; `idOffset` is 0 at QoS 0. */
  buffer: Uint8Array = nothing
  start = 0
  end = 0
  idOffset = 0
  /** The last message of QoS 1 as subscribers of each version get it. */
  readonly template4 = new Template()
  readonly template5 = new Template()
  readonly slab = new Slab()

  /** Fills the message's cache for 3.1.1 at QoS 0, RETAIN 0. */
  publish4(message: Message): void {
    this.write(message, 4, 0, false, none)
    message.mqtt3 = this.buffer
    message.mqtt3Start = this.start
    message.mqtt3End = this.end
  }

  /** Fills the message's cache for v5 at QoS 0, RETAIN 0, no subscription identifiers. */
  publish5(message: Message): void {
    this.write(message, 5, 0, false, none)
    message.mqtt5 = this.buffer
    message.mqtt5Start = this.start
    message.mqtt5End = this.end
  }

  /** The message at QoS 1, RETAIN 0, no subscription identifiers; made anew unless it was the last one. */
  templateOf(message: Message, version: Version): Template {
    const template = version === 4 ? this.template4 : this.template5
    if (template.message !== message) {
      this.write(message, version, 1, false, none)
      template.set(message, this.buffer, this.start, this.end, this.idOffset)
    }
    return template
  }

  /** Forgets the last message, so that it and its chunk are not kept. */
  forget(): void {
    this.template4.set(null, nothing, 0, 0, 0)
    this.template5.set(null, nothing, 0, 0, 0)
  }

  /** Writes a PUBLISH into the slab, its packet id 0: `buffer`, `start`, `end` and `idOffset` say where. */
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
    buffer[start] = PUBLISH | (qos << 1) | (retain ? 1 : 0)
    let at = writeVariable(buffer, start + 1, length)
    buffer[at++] = topic.length >> 8
    buffer[at++] = topic.length & 0xff
    at = copyBytes(buffer, at, topic, 0, topic.length)
    if (qos === 0) this.idOffset = 0
    else {
      this.idOffset = at - start
      buffer[at++] = 0
      buffer[at++] = 0
    }
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
