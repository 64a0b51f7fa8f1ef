// Answers of HTTP: JSON with a status, and errors of the table with the status that fits.
import type { HttpResponse } from 'uWebSockets.js'
import { type ErrorCode, ShoalError } from '../../broker/errors.ts'

const JSON_TYPE = 'application/json; charset=utf-8'

/** The errors that a request can end with, besides the table's; see `statusOf`. */
export type HttpErrorCode =
  | ErrorCode
  | 'NOT_FOUND'
  | 'METHOD_NOT_ALLOWED'
  | 'TOO_MANY_REQUESTS'
  | 'UNAVAILABLE'

/** An error as JSON: `{ "error": { "code", "message", … } }`. */
export class HttpError extends Error {
  readonly code: HttpErrorCode
  readonly status: string
  readonly headers: Readonly<Record<string, string>>

  constructor(code: HttpErrorCode, status: string, message: string, headers: Record<string, string> = {}) {
    super(message)
    this.code = code
    this.status = status
    this.headers = headers
  }

  static from(error: unknown): HttpError {
    if (error instanceof HttpError) return error
    if (!(error instanceof ShoalError)) {
      return new HttpError('HANDLER_FAILED', '500 Internal Server Error', 'the request failed')
    }
    return new HttpError(
      error.code,
      statusOf(error),
      error.message,
      error.retryable ? { 'retry-after': '1' } : {}
    )
  }

  get answer(): Answer {
    return jsonAnswer(this.status, { error: this }, this.headers)
  }

  toJSON(): { code: HttpErrorCode; message: string } {
    return { code: this.code, message: this.message }
  }
}

/** A response, before it is written. */
export interface Answer {
  readonly status: string
  readonly type: string
  readonly body: string | Uint8Array
  readonly headers: Readonly<Record<string, string>>
}

export function jsonAnswer(
  status: string,
  value: unknown,
  headers: Readonly<Record<string, string>> = {}
): Answer {
  return { status, type: JSON_TYPE, body: `${JSON.stringify(value)}\n`, headers }
}

/**
 * Writes the answer. The response must not be used afterwards. A body that the socket does not take is unfinished, and
 * the library closes a connection that sends its next request before: else one that asks and never reads would fill
 * the memory with answers.
 */
export function respond(res: HttpResponse, { status, type, body, headers }: Answer): void {
  const bytes = typeof body === 'string' ? Buffer.from(body) : body
  writeHead(res, status, type, headers, () => {
    if (bytes.length === 0) return res.end()
    const [, isDone] = res.tryEnd(bytes, bytes.length)
    if (isDone) return
    res.onAborted(() => {})
    res.onWritable(offset => res.tryEnd(bytes.subarray(offset), bytes.length)[0])
  })
}

/**
 * Writes the answer to a HEAD: what GET would be answered, without the body. Asks the client to close the connection,
 * since the library takes no further request on it.
 */
export function respondToHead(res: HttpResponse, { status, type, body, headers }: Answer): void {
  // The library takes such a response for unfinished, and wants to be able to tell of its end.
  res.onAborted(() => {})
  writeHead(res, status, type, headers, () => res.endWithoutBody(Buffer.byteLength(body), true))
}

/** Writes the answer and closes the connection: for a client that does not come to its end. */
export function respondAndClose(res: HttpResponse, { status, type, body, headers }: Answer): void {
  writeHead(res, status, type, headers, () => res.end(body, true))
}

function writeHead(
  res: HttpResponse,
  status: string,
  type: string,
  headers: Readonly<Record<string, string>>,
  end: () => void
): void {
  res.cork(() => {
    res.writeStatus(status).writeHeader('content-type', type).writeHeader('x-content-type-options', 'nosniff')
    if (!('cache-control' in headers)) res.writeHeader('cache-control', 'no-store')
    for (const [name, value] of Object.entries(headers)) res.writeHeader(name, value)
    end()
  })
}

function statusOf(error: ShoalError): string {
  switch (error.code) {
    case 'BAD_REQUEST':
    case 'TOPIC_INVALID':
    case 'FILTER_INVALID':
      return '400 Bad Request'
    case 'NOT_AUTHORISED':
      return '403 Forbidden'
    case 'PAYLOAD_TOO_LARGE':
      return '413 Content Too Large'
    case 'LIMIT_EXCEEDED':
      return '429 Too Many Requests'
    case 'TIMEOUT':
      return '504 Gateway Timeout'
    case 'CLOSED':
    case 'NO_OWNER':
    case 'OWNER_MOVED':
    case 'PEER_GONE':
    case 'LINK_FULL':
      return '503 Service Unavailable'
    default:
      return '500 Internal Server Error'
  }
}
