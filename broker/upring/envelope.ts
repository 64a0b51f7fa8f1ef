// How requests and replies travel: the streams beside the body, and the errors of handlers as values, since a link's own
// failures say that the request did not get there, or that nobody knows.
//
//   reply   [ body ]  or  [ body, { message, code, fields } ]
import { Readable, Writable } from 'node:stream'
import { ERRORS, type ErrorCode, ShoalError } from '../errors.ts'
import type { Streams } from './message.ts'

/** What a handler on another node, or on this one, refused a request with. */
export class RequestError extends Error {
  /** As the handler's error had it. */
  readonly code: string | number | undefined
  /** What the handler gave beside the error, such as the errors of a schema. */
  readonly reply: unknown

  constructor(message: string, code?: string | number, reply?: unknown) {
    super(message)
    this.name = 'RequestError'
    this.code = code
    this.reply = reply
  }
}

export interface Letter {
  readonly body: unknown
  readonly streams: Streams
}

const noStreams: Streams = Object.freeze({})

/** A request or a reply without its streams, and these. Copies the outermost object if it has any. */
export function takeStreams(message: unknown): Letter {
  if (!isRecord(message) || !isRecord(message['streams'])) return { body: message, streams: noStreams }
  const { streams, ...body } = message
  return { body, streams: streams as Streams }
}

/** The other way round. A body that cannot have streams, such as a number, goes without. */
export function putStreams(body: unknown, streams: Streams): unknown {
  if (isRecord(body) && Object.keys(streams).length > 0) body['streams'] = streams
  return body
}

/** The streams of a message that failed go with it. Whoever does not listen to their errors is told by the failure itself. */
export function destroyStreams(message: unknown, error: Error): void {
  for (const stream of Object.values(takeStreams(message).streams)) {
    if (!(stream instanceof Readable || stream instanceof Writable)) continue
    stream.on('error', ignore)
    stream.destroy(error)
  }
}

function ignore(): void {}

export function encodeReply(error: Error | null, body: unknown): unknown[] {
  if (error === null) return [body]
  const { message } = error
  if (error instanceof ShoalError) return [body, { message, code: error.code, fields: error.fields }]
  return [body, { message, code: codeOf(error) }]
}

/** The reply's body. Throws what the handler failed with, or BAD_REQUEST for what is no reply. */
export function decodeReply(value: unknown): unknown {
  if (!Array.isArray(value) || value.length < 1 || value.length > 2)
    throw new ShoalError('BAD_REQUEST', { expected: 'a reply' })
  const [body, error] = value as unknown[]
  if (error === undefined) return body
  if (!isRecord(error)) throw new ShoalError('BAD_REQUEST', { expected: 'an error' })
  const { message, code, fields } = error
  if (typeof code === 'string' && Object.hasOwn(ERRORS, code) && isRecord(fields))
    throw new ShoalError(code as ErrorCode, fields)
  throw new RequestError(
    String(message),
    typeof code === 'string' || typeof code === 'number' ? code : undefined,
    body
  )
}

/** As the other side of a link would see it: an error that says the same. */
export function localError(error: Error, body: unknown): Error {
  if (error instanceof ShoalError || body === undefined) return error
  return Object.assign(error, { reply: body })
}

function codeOf(error: Error): string | number | undefined {
  const code = (error as { code?: unknown }).code
  return typeof code === 'string' || typeof code === 'number' ? code : undefined
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value)
}
