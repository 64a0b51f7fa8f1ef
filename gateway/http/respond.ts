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

  toJSON(): { code: HttpErrorCode; message: string } {
    return { code: this.code, message: this.message }
  }
}

/** Answers with JSON. The response must not be used afterwards. */
export function respondJson(
  res: HttpResponse,
  status: string,
  value: unknown,
  headers: Readonly<Record<string, string>> = {}
): void {
  respond(res, status, JSON_TYPE, `${JSON.stringify(value)}\n`, headers)
}

/** Answers with an error. `closing` also closes the connection: when the body was not read to its end. */
export function respondError(res: HttpResponse, error: HttpError, closing = false): void {
  const body = `${JSON.stringify({ error })}\n`
  respond(res, error.status, JSON_TYPE, body, error.headers, closing)
}

export function respond(
  res: HttpResponse,
  status: string,
  type: string,
  body: string | Uint8Array,
  headers: Readonly<Record<string, string>> = {},
  closing = false
): void {
  res.cork(() => {
    res.writeStatus(status).writeHeader('content-type', type).writeHeader('x-content-type-options', 'nosniff')
    if (!('cache-control' in headers)) res.writeHeader('cache-control', 'no-store')
    for (const [name, value] of Object.entries(headers)) res.writeHeader(name, value)
    res.end(body, closing)
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
