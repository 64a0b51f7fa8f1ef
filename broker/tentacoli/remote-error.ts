// The error that a handler at the far side answered with, as its program knows it: its message, and its code if it
// had one. What the connection itself fails with is a ShoalError.
import { ShoalError } from '../errors.ts'

export class RemoteError extends Error {
  /** The `code` of the error at the far side, or HANDLER_FAILED. */
  readonly code: string | number

  constructor(message: string, code: string | number, cause: ShoalError) {
    super(message, { cause })
    this.name = 'RemoteError'
    this.code = code
  }
}

/** How a handler's error crosses. */
export function toWire(error: unknown): ShoalError {
  if (error instanceof ShoalError) return error
  const { message, code } = error as { message?: unknown; code?: unknown }
  const text = typeof message === 'string' ? message : String(error)
  return new ShoalError('HANDLER_FAILED', { error: text, ...(isCode(code) ? { code } : {}) }, error)
}

/** What the caller is given. */
export function fromWire(error: ShoalError): Error {
  const { error: text, code } = error.fields
  if (error.code !== 'HANDLER_FAILED' || typeof text !== 'string') return error
  return new RemoteError(text, isCode(code) ? code : error.code, error)
}

function isCode(code: unknown): code is string | number {
  return typeof code === 'string' || typeof code === 'number'
}
