// Reads the requests of client-js/wire.ts from a line of JSON, trusting nothing, and writes replies.
// A line that is not in the protocol at all is the end of the connection; a request with a bad field
// is answered with an error.

import { ShoalError } from '../../broker/errors.ts'
import {
  type ErrorReply,
  type PublishRequest,
  REQUEST_ID_MAX,
  type Reply,
  type Request,
  type RequestId,
  type WireErrorCode
} from '../../client-js/wire.ts'

const CLIENT_LENGTH_MAX = 128

/** A line that no client of this protocol sends: not JSON, no object, no known `t`, or a request without an id. */
export class ProtocolError extends Error {}

/** Reads one line. Throws ProtocolError, or BAD_REQUEST with the request's `id` among its fields. */
export function readRequest(line: string): Request {
  const object = parse(line)
  switch (object['t']) {
    case 'publish':
      return readPublish(object)
    case 'subscribe':
      return { t: 'subscribe', id: readId(object), filter: readText(object, 'filter') }
    case 'unsubscribe':
      return { t: 'unsubscribe', id: readId(object), filter: readText(object, 'filter') }
    case 'ping':
      return { t: 'ping' }
    case 'connect':
      return readConnect(object)
    default:
      throw new ProtocolError('the type of a request is unknown')
  }
}

/** The payload's bytes. Throws BAD_REQUEST when the base64 is not. */
export function payloadOf(request: PublishRequest): Buffer {
  if (request.text !== undefined) return Buffer.from(request.text)
  if (request.base64 !== undefined) return bytesOfBase64(request.base64)
  return Buffer.from(textOfJson(request.json))
}

/** A reply as a line of its own. */
export function writeReply(reply: Reply): Uint8Array {
  return Buffer.from(`${JSON.stringify(reply)}\n`)
}

/** The answer to a request that failed; what is no ShoalError is a fault of ours and told as INTERNAL. */
export function errorReply(error: unknown, id: RequestId | undefined): ErrorReply {
  const known = error instanceof ShoalError
  const reply: ErrorReply = {
    t: 'error',
    code: known ? wireCodeOf(error) : 'INTERNAL',
    message: known ? error.message : 'the request failed',
    retryable: known && error.retryable
  }
  if (id !== undefined) reply.id = id
  return reply
}

/** The id among the fields of a BAD_REQUEST. */
export function requestIdOf(error: ShoalError): RequestId | undefined {
  const id = error.fields['id']
  return typeof id === 'number' ? id : undefined
}

/**
 * The error that a receipt's reason (an MQTT 5 PUBACK reason code >= 0x80) stands for.
 * Source: MQTT 5.0, section 3.4.2.1.
 */
export function errorOfReason(reason: number): ShoalError {
  if (reason === 0x87) return new ShoalError('NOT_AUTHORISED')
  if (reason === 0x90) return new ShoalError('TOPIC_INVALID')
  if (reason === 0x97) return new ShoalError('LIMIT_EXCEEDED', { limit: 'quota' })
  return new ShoalError('TIMEOUT', { reason })
}

/** Decodes base64 (with or without padding), strictly. Throws BAD_REQUEST. */
export function bytesOfBase64(text: string): Buffer {
  const bytes = Buffer.from(text, 'base64')
  const unpadded = text.endsWith('==') ? text.length - 2 : text.endsWith('=') ? text.length - 1 : text.length
  // Buffer skips what is not base64, so that less comes out than went in.
  if (bytes.length !== Math.floor((unpadded * 3) / 4) || unpadded % 4 === 1) {
    throw new ShoalError('BAD_REQUEST', { field: 'base64', allowed: 'base64' })
  }
  return bytes
}

/** The JSON text of a parsed value. Throws BAD_REQUEST when it is nested too deeply to be written. */
export function textOfJson(value: unknown): string {
  try {
    return JSON.stringify(value)
  } catch (cause) {
    throw new ShoalError('BAD_REQUEST', { field: 'json' }, cause)
  }
}

type JsonObject = Readonly<Record<string, unknown>>

function parse(line: string): JsonObject {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    throw new ProtocolError('a line is not JSON')
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new ProtocolError('a line is not a JSON object')
  }
  return value as JsonObject
}

function readConnect(object: JsonObject): Request {
  const version = object['version']
  if (typeof version !== 'number') throw new ProtocolError('connect names no version')
  const client = object['client']
  if (client === undefined) return { t: 'connect', version }
  if (typeof client !== 'string' || client === '' || client.length > CLIENT_LENGTH_MAX) {
    throw new ProtocolError(`a client id is not a text of 1 to ${CLIENT_LENGTH_MAX} characters`)
  }
  return { t: 'connect', version, client }
}

function readPublish(object: JsonObject): PublishRequest {
  const { id, qos = 0, retain = false } = object as { id?: unknown; qos?: unknown; retain?: unknown }
  if (qos !== 0 && qos !== 1) throw badField('qos', '0 or 1', id)
  if (typeof retain !== 'boolean') throw badField('retain', 'true or false', id)
  const request: PublishRequest = { t: 'publish', topic: readText(object, 'topic'), qos, retain }
  if (qos === 1 || id !== undefined) request.id = readId(object)
  return withPayload(request, object)
}

function withPayload(request: PublishRequest, object: JsonObject): PublishRequest {
  const { text, json, base64 } = object as { text?: unknown; json?: unknown; base64?: unknown }
  const given = Number(text !== undefined) + Number(json !== undefined) + Number(base64 !== undefined)
  if (given !== 1) throw badField('payload', 'one of text, json and base64', request.id)
  if (json !== undefined) request.json = json
  else if (typeof text === 'string') request.text = text
  else if (typeof base64 === 'string') request.base64 = base64
  else throw badField(text === undefined ? 'base64' : 'text', 'a text', request.id)
  return request
}

function readId(object: JsonObject): RequestId {
  const id = object['id']
  if (Number.isInteger(id) && (id as number) >= 1 && (id as number) <= REQUEST_ID_MAX) return id as RequestId
  throw new ProtocolError(`the id of a request is not an integer from 1 to ${REQUEST_ID_MAX}`)
}

function readText(object: JsonObject, field: string): string {
  const value = object[field]
  if (typeof value === 'string') return value
  throw badField(field, 'a text', object['id'])
}

function badField(field: string, allowed: string, id: unknown): ShoalError {
  return new ShoalError('BAD_REQUEST', typeof id === 'number' ? { field, allowed, id } : { field, allowed })
}

function wireCodeOf(error: ShoalError): WireErrorCode {
  switch (error.code) {
    case 'BAD_REQUEST':
    case 'TOPIC_INVALID':
    case 'FILTER_INVALID':
    case 'LIMIT_EXCEEDED':
    case 'PAYLOAD_TOO_LARGE':
    case 'NOT_AUTHORISED':
    case 'NO_OWNER':
    case 'TIMEOUT':
    case 'CLOSED':
      return error.code
    case 'OWNER_MOVED':
    case 'PEER_GONE':
    case 'PEER_UNKNOWN':
    case 'LINK_FULL':
      return 'TIMEOUT'
    default:
      return 'INTERNAL'
  }
}
