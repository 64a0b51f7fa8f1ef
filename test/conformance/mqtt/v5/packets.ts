// MQTT 5.0's packets where they differ from 3.1.1's: properties, subscription options, reason codes.
// Source: MQTT 5.0, chapters 2 and 3.
import { bytes, packet, type Received, text, uint16 } from '../packets.ts'

export const DISCONNECT = 14

export const PAYLOAD_FORMAT = 0x01
export const CONTENT_TYPE = 0x03
export const RESPONSE_TOPIC = 0x08
export const CORRELATION_DATA = 0x09
export const SUBSCRIPTION_IDENTIFIER = 0x0b
export const USER_PROPERTY = 0x26

export const NO_LOCAL = 0x04
export const RETAIN_AS_PUBLISHED = 0x08
/** Retain handling stands in these options from bit 4 on. */
export const RETAINED_IF_NEW = 0x10
export const RETAINED_NEVER = 0x20

/** A property as it came: a number, a string, bytes as hex, or both strings of a user property. */
export type Property = readonly [id: number, value: number | string]

export interface Message5 {
  readonly topic: string
  readonly payload: string
  readonly qos: number
  readonly retain: boolean
  readonly id: number
  readonly properties: readonly Property[]
}

export function variable(value: number): Buffer {
  const result: number[] = []
  do {
    result.push((value & 0x7f) | (value > 0x7f ? 0x80 : 0))
    value >>>= 7
  } while (value > 0)
  return Buffer.from(result)
}

/** Properties with their length before them. */
export function properties(...all: Buffer[]): Buffer {
  const content = Buffer.concat(all)
  return Buffer.concat([variable(content.length), content])
}

/** One property: its identifier and value. */
export function property(id: number, ...value: Buffer[]): Buffer {
  return Buffer.concat([bytes(id), ...value])
}

export function userProperty(name: string, value: string): Buffer {
  return property(USER_PROPERTY, text(name), text(value))
}

export function connect5(id: string, ...all: Buffer[]): Buffer {
  return packet(0x10, text('MQTT'), bytes(5, 0x02), uint16(0), properties(...all), text(id))
}

export function publish5(
  topic: string,
  payload: string,
  { qos = 0, retain = false, id = 1 }: { qos?: number; retain?: boolean; id?: number } = {},
  ...all: Buffer[]
): Buffer {
  const identifier = qos === 0 ? [] : [uint16(id)]
  return packet(
    0x30 | (qos << 1) | (retain ? 1 : 0),
    text(topic),
    ...identifier,
    properties(...all),
    Buffer.from(payload)
  )
}

export function subscribe5(id: number, filter: string, options: number, ...all: Buffer[]): Buffer {
  return packet(0x82, uint16(id), properties(...all), text(filter), bytes(options))
}

/** What a PUBLISH of 5.0 says, its properties in their order. */
export function readMessage5({ flags, body }: Received): Message5 {
  const qos = (flags >>> 1) & 3
  const topicEnd = 2 + body.readUInt16BE(0)
  const idEnd = topicEnd + (qos === 0 ? 0 : 2)
  const [length, start] = readVariable(body, idEnd)
  return {
    topic: body.toString('utf8', 2, topicEnd),
    payload: body.toString('utf8', start + length),
    qos,
    retain: (flags & 1) !== 0,
    id: qos === 0 ? 0 : body.readUInt16BE(topicEnd),
    properties: readProperties(body.subarray(start, start + length))
  }
}

function readProperties(body: Buffer): Property[] {
  const all: Property[] = []
  let at = 0
  const string = (encoding: BufferEncoding): string => {
    const start = at + 2
    at = start + body.readUInt16BE(at)
    return body.toString(encoding, start, at)
  }
  while (at < body.length) {
    const id = body[at++]!
    if (id === PAYLOAD_FORMAT) all.push([id, body[at++]!])
    else if (id === CONTENT_TYPE || id === RESPONSE_TOPIC) all.push([id, string('utf8')])
    else if (id === CORRELATION_DATA) all.push([id, string('hex')])
    else if (id === USER_PROPERTY) all.push([id, `${string('utf8')}=${string('utf8')}`])
    else if (id === SUBSCRIPTION_IDENTIFIER) {
      const [value, end] = readVariable(body, at)
      all.push([id, value])
      at = end
    } else throw new Error(`property ${id} where none is expected: ${body.toString('hex')}`)
  }
  return all
}

function readVariable(body: Buffer, at: number): [value: number, end: number] {
  let value = 0
  for (let shift = 0; ; shift += 7) {
    const byte = body[at++]!
    value |= (byte & 0x7f) << shift
    if (byte < 0x80) return [value, at]
  }
}
