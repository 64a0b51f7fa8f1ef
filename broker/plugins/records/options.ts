// The bounds of a plugin that keeps records, and what happens at each.
import { ShoalError } from '../../errors.ts'

export interface RecordsOptions {
  /** Of its requests: two plugins on one ring need two. The same on all nodes. */
  readonly namespace: string
  /** Keys that a node holds. At this, a write of a new key fails with LIMIT_EXCEEDED. Handovers and copies are taken all the same. */
  readonly keysMax: number
  /** Keys and values that a node holds, in bytes; as `keysMax`. */
  readonly bytesMax: number
  /** The longest value, encoded; a longer one fails with PAYLOAD_TOO_LARGE. At most 4 MiB. */
  readonly valueBytesMax: number
  /** Writes of one key that wait for its replica together; one more fails with LIMIT_EXCEEDED. */
  readonly writesMax: number
  /** Requests that wait while keys are handed over to this node; one more fails with LIMIT_EXCEEDED. */
  readonly waitingMax: number
  /** Live streams that a node feeds, and that it reads; one more fails with LIMIT_EXCEEDED. A link carries 1024 streams. */
  readonly watchersMax: number
  /** Updates that wait for a slow reader of a live stream; beyond it the oldest are dropped, and the reader is told of a gap. */
  readonly updatesMax: number
  /** `close` waits so long for others to have what this node held, in ms. */
  readonly handoverTimeoutMs: number
  /** How long a deleted key is remembered, in ms: longer than any partition, lest it come back. */
  readonly tombstoneMs: number
}

export const RECORDS_DEFAULTS: Omit<RecordsOptions, 'namespace'> = {
  keysMax: 250_000,
  bytesMax: 512 * 1024 * 1024,
  valueBytesMax: 1024 * 1024,
  writesMax: 1000,
  waitingMax: 10_000,
  watchersMax: 10_000,
  updatesMax: 100,
  handoverTimeoutMs: 10_000,
  tombstoneMs: 3_600_000
}

const VALUE_BYTES_MAX = 4 * 1024 * 1024
export const KEY_LENGTH_MAX = 1024

/** Throws OPTION_INVALID. */
export function recordsOptionsOf(namespace: string, given: Partial<RecordsOptions> = {}): RecordsOptions {
  const options = { ...RECORDS_DEFAULTS, namespace, ...given }
  for (const name of Object.keys(RECORDS_DEFAULTS) as (keyof typeof RECORDS_DEFAULTS)[]) {
    const value = options[name]
    if (!Number.isInteger(value) || value < 0)
      throw new ShoalError('OPTION_INVALID', { option: name, value, allowed: 'an integer, 0 or more' })
  }
  if (options.valueBytesMax > VALUE_BYTES_MAX)
    throw new ShoalError('OPTION_INVALID', { option: 'valueBytesMax', allowed: `at most ${VALUE_BYTES_MAX}` })
  if (!/^[\w.-]+$/.test(options.namespace))
    throw new ShoalError('OPTION_INVALID', { option: 'namespace', allowed: 'letters, digits, - . _' })
  return options
}

/** Throws BAD_REQUEST. */
export function mustBeKey(key: unknown): string {
  if (typeof key === 'string' && key.length > 0 && key.length <= KEY_LENGTH_MAX) return key
  throw new ShoalError('BAD_REQUEST', { expected: `a key: text of 1 to ${KEY_LENGTH_MAX} characters` })
}
