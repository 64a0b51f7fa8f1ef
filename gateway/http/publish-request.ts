// What a POST to /publish asks for: messages, checked whole before the first is published.
//
//   JSON   {"topic":"a/b","text":"hi","qos":1,"retain":true}     payload: text, json or base64
//   JSON   {"messages":[{"topic":…},…]}                          a batch
//   else   ?topic=a/b&qos=1&retain=true                          the body is the payload
import type { Broker } from '../../broker/broker.ts'
import { ShoalError } from '../../broker/errors.ts'
import { Message, type QoS } from '../../broker/message.ts'
import { bytesOfBase64, textOfJson } from '../websocket/protocol.ts'

/** The parts of the request line and headers that matter, copied from the library's short-lived request. */
export interface PublishTarget {
  contentType: string
  topic: string | undefined
  qos: string | undefined
  retain: string | undefined
}

export interface PublishRequest {
  messages: Message[]
  isBatch: boolean
}

/** Most messages of a batch, and most bytes of one payload. */
export interface PublishLimits {
  batchMax: number
  payloadBytesMax: number
}

/** Throws BAD_REQUEST, TOPIC_INVALID, PAYLOAD_TOO_LARGE (one of `limits`). Publishes nothing. */
export function readPublish(
  broker: Broker,
  target: PublishTarget,
  body: Buffer,
  limits: PublishLimits
): PublishRequest {
  const request = readMessages(broker, target, body, limits.batchMax)
  // JSON can grow when it is written anew: 1e20 has 21 digits.
  const large = request.messages.find(message => message.payloadEnd > limits.payloadBytesMax)
  if (large === undefined) return request
  throw new ShoalError('PAYLOAD_TOO_LARGE', { bytes: large.payloadEnd, allowed: limits.payloadBytesMax })
}

function readMessages(broker: Broker, target: PublishTarget, body: Buffer, batchMax: number): PublishRequest {
  if (target.topic !== undefined) return { messages: [readRaw(broker, target, body)], isBatch: false }
  if (!/^application\/(?:[\w.-]+\+)?json\s*(?:;|$)/i.test(target.contentType)) {
    throw bad('content-type', 'application/json, or any other with ?topic= in the URL')
  }
  const value = parseObject(body)
  const batch = value['messages']
  if (batch === undefined) return { messages: [readMessage(broker, value)], isBatch: false }
  if (!Array.isArray(batch)) throw bad('messages', 'a list')
  if (batch.length > batchMax) {
    throw new ShoalError('PAYLOAD_TOO_LARGE', { messages: batch.length, allowed: batchMax })
  }
  return { messages: batch.map((item, index) => readItem(broker, item, index)), isBatch: true }
}

function readRaw(broker: Broker, target: PublishTarget, body: Buffer): Message {
  const qos = target.qos === undefined ? 0 : target.qos === '0' ? 0 : target.qos === '1' ? 1 : null
  if (qos === null) throw bad('qos', '0 or 1')
  const { retain = 'false' } = target
  if (retain !== 'true' && retain !== 'false') throw bad('retain', 'true or false')
  return messageOf(broker, target.topic ?? '', body, qos, retain === 'true')
}

function readItem(broker: Broker, item: unknown, index: number): Message {
  try {
    if (!isObject(item)) throw bad('messages', 'a list of objects')
    return readMessage(broker, item)
  } catch (error) {
    if (!(error instanceof ShoalError)) throw error
    throw new ShoalError(error.code, { ...error.fields, index })
  }
}

function readMessage(broker: Broker, value: Record<string, unknown>): Message {
  const { topic, qos = 0, retain = false } = value
  if (typeof topic !== 'string') throw bad('topic', 'a text')
  if (qos !== 0 && qos !== 1) throw bad('qos', '0 or 1')
  if (typeof retain !== 'boolean') throw bad('retain', 'true or false')
  return messageOf(broker, topic, readPayload(value), qos, retain)
}

function readPayload(value: Record<string, unknown>): Buffer {
  const { payload, text = payload, json, base64 } = value
  const given = Number(text !== undefined) + Number(json !== undefined) + Number(base64 !== undefined)
  if (given !== 1) throw bad('payload', 'one of payload (a text), json and base64')
  if (json !== undefined) return Buffer.from(textOfJson(json))
  if (typeof text === 'string') return Buffer.from(text)
  if (typeof base64 === 'string') return bytesOfBase64(base64)
  throw bad(text === undefined ? 'base64' : 'payload', 'a text')
}

function messageOf(broker: Broker, topic: string, payload: Buffer, qos: QoS, retain: boolean): Message {
  return new Message(broker.topic(topic), payload, 0, payload.length, qos, retain)
}

function parseObject(body: Buffer): Record<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(body.toString('utf8'))
  } catch {
    throw bad('body', 'JSON')
  }
  if (!isObject(value)) throw bad('body', 'a JSON object')
  return value
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function bad(field: string, allowed: string): ShoalError {
  return new ShoalError('BAD_REQUEST', { field, allowed })
}
