// Connections that did not become links: counted, and told to the operator where he may have set something wrong, at
// both sides. What belongs to the dance of two nodes that dial each other is not worth his time.
import type { ShoalError } from '../errors.ts'
import type { Clock } from '../runtime/clock.ts'
import { LimitedLog } from '../runtime/limited-log.ts'
import type { Log } from '../runtime/log.ts'
import type { Address } from '../runtime/network.ts'

const ORDINARY: ReadonlySet<unknown> = new Set(['duplicate', 'closing', 'itself'])

/** The first two bytes of a TLS record (handshake, alert), taken for the length of a frame. */
const TLS_RECORDS: ReadonlySet<number> = new Set([0x0316, 0x0315])

export class Refusals {
  /** All but the ordinary ones. */
  count = 0
  readonly #log: Log
  readonly #limited: LimitedLog

  constructor(log: Log, clock: Clock) {
    this.#log = log
    this.#limited = new LimitedLog(log, clock)
  }

  /** The handshake with who is at `address` failed with `error`. */
  add(error: ShoalError, address: Address): void {
    const reason = reasonOf(error)
    if (reason === null) {
      this.#log.debug({ from: address, error: error.message }, 'connection refused')
      return
    }
    this.count++
    const { ours, theirs, peer, by = 'us' } = error.fields
    const who = { peer: peer ?? null, from: address, by, reason }
    const fields = ours === undefined ? who : { ...who, ours, theirs }
    this.#limited.warn(`${peer ?? address.host} ${reason} ${ours} ${theirs} ${by}`, fields, 'node refused')
  }
}

function reasonOf({ code, fields, cause }: ShoalError): string | null {
  if (code === 'PEER_REFUSED') return ORDINARY.has(fields['reason']) ? null : String(fields['reason'])
  if (code === 'PEER_GONE') return tlsReasonOf(cause)
  if (code !== 'FRAME_INVALID' && code !== 'FRAME_TOO_LARGE') return null
  const bytes = fields['bytes']
  const isTls = code === 'FRAME_TOO_LARGE' && typeof bytes === 'number' && TLS_RECORDS.has(bytes & 0xffff)
  return isTls ? 'it speaks TLS, and this node has none' : 'what it sends is no link'
}

/** The far side of TLS tells what it thinks of our certificate only when the connection is open here. */
function tlsReasonOf(cause: unknown): string | null {
  const isTls = cause instanceof Error && 'code' in cause && String(cause.code).startsWith('ERR_SSL')
  return isTls ? `TLS: ${cause.message}` : null
}
