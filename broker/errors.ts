// Every error that a peer, a client or an operator can cause, in one table. Callers switch on
// `code`, never on the text. What only a bug can cause is an `assert` where it stands.

/** What each error means, and whether the same call may succeed when it is tried again. */
export const ERRORS = {
  CLOSED: { retryable: false, text: 'the broker is closed or closing' },
  TIMEOUT: { retryable: true, text: 'no answer before the deadline' },
  PEER_GONE: { retryable: true, text: 'the peer died or its link closed before it answered' },
  PEER_UNKNOWN: { retryable: true, text: 'no link to a peer of that id' },
  PEER_REFUSED: { retryable: false, text: 'the peer refused the handshake' },
  HANDLER_MISSING: { retryable: false, text: 'the peer has no handler for this request' },
  PATTERN_MISSING: { retryable: false, text: 'message does not match any pattern' },
  HANDLER_FAILED: { retryable: false, text: 'the handler of the request failed' },
  FRAME_INVALID: { retryable: false, text: 'bytes on a link are not a valid frame' },
  FRAME_TOO_LARGE: { retryable: false, text: 'a frame is larger than the link allows' },
  PACKET_INVALID: { retryable: false, text: 'a gossip packet is not valid' },
  LINK_FULL: { retryable: true, text: 'the link has too many bytes waiting' },
  STREAM_ABORTED: { retryable: true, text: 'the other end destroyed the stream, or its link closed' },
  OWNER_MOVED: { retryable: true, text: 'the key has another owner now' },
  KEY_OWNED: { retryable: false, text: 'this node owns the key already' },
  NO_OWNER: { retryable: true, text: 'no serving node owns this key yet' },
  TOPIC_INVALID: { retryable: false, text: 'not a valid topic name' },
  FILTER_INVALID: { retryable: false, text: 'not a valid topic filter' },
  LIMIT_EXCEEDED: { retryable: false, text: 'a configured limit is reached' },
  OPTION_INVALID: { retryable: false, text: 'an option has a value that is not allowed' },
  PORT_IN_USE: { retryable: false, text: 'another process listens on this port' },
  JOIN_FAILED: { retryable: true, text: 'none of the base nodes answered' },
  NOT_AUTHORISED: { retryable: false, text: 'not allowed' },
  BAD_REQUEST: { retryable: false, text: 'the request is malformed' },
  PAYLOAD_TOO_LARGE: { retryable: false, text: 'the message is larger than allowed' }
} as const

export type ErrorCode = keyof typeof ERRORS

/** An error of the table. `fields` says what it was about; `cause` what it came from. */
export class ShoalError extends Error {
  readonly code: ErrorCode
  readonly retryable: boolean
  readonly fields: Readonly<Record<string, unknown>>

  constructor(code: ErrorCode, fields: Record<string, unknown> = {}, cause?: unknown) {
    const detail = Object.entries(fields)
      .map(([name, value]) => `${name} ${typeof value === 'string' ? value : JSON.stringify(value)}`)
      .join(', ')
    super(
      detail === '' ? ERRORS[code].text : `${ERRORS[code].text}: ${detail}`,
      cause === undefined ? {} : { cause }
    )
    this.name = 'ShoalError'
    this.code = code
    this.retryable = ERRORS[code].retryable
    this.fields = fields
  }
}
