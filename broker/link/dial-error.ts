// What the error of a dial that failed says: why, and by whom.
import { ShoalError } from '../errors.ts'

/** Another link to the peer is there, or on its way, and is the one to keep. */
export function isDuplicate(error: ShoalError | null): boolean {
  return error?.code === 'PEER_REFUSED' && error.fields['reason'] === 'duplicate'
}

/** Who refused, or was refused. */
export function peerIdOf(error: ShoalError | null): string | null {
  const peer = error?.fields['peer']
  return typeof peer === 'string' ? peer : null
}

/** The system's code, `ECONNREFUSED`, also of the cause; PEER_GONE if it has none. */
export function systemCodeOf(error: unknown): string {
  const cause = error instanceof ShoalError && error.cause !== undefined ? error.cause : error
  if (typeof cause === 'object' && cause !== null && 'code' in cause && typeof cause.code === 'string')
    return cause.code
  return 'PEER_GONE'
}
