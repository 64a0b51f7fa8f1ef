// Every error of the client, with a code to switch on.
import type { WireErrorCode } from './wire.ts'

/** The gateway's codes, and those of the client itself. */
export type ClientErrorCode =
  | WireErrorCode
  /** A publish at QoS 0 while there is no connection. */
  | 'NOT_CONNECTED'
  /** Too many messages wait: of a publisher's (QoS 1), or of a subscription's iterator (with `overflow: 'error'`). */
  | 'QUEUE_FULL'
  /** The gateway has closed the connection for good; see the `disconnected` event for its code. */
  | 'REFUSED'

export class ClientError extends Error {
  readonly code: ClientErrorCode
  /** Whether the same call may succeed later. */
  readonly retryable: boolean

  constructor(code: ClientErrorCode, message: string, retryable = false) {
    super(message)
    this.name = 'ClientError'
    this.code = code
    this.retryable = retryable
  }
}
