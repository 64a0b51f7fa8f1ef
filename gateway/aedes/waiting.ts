// Waiting: for a ring that does not allow something yet, because a node has died and is not missed, or two nodes do not see the
// same; and for others to have their turn.
import { ShoalError } from '../../broker/errors.ts'
import type { Clock } from '../../broker/runtime/clock.ts'

const PAUSE_MS = 20

/** Whether the same may succeed a little later. */
export function isPassing(error: unknown): boolean {
  return error instanceof ShoalError && error.retryable
}

export function pause(clock: Clock): Promise<void> {
  return new Promise(resolve => clock.after(PAUSE_MS, resolve))
}

/** Settles when what is ready now has been handled: a long loop stops here now and then. */
export function breathe(clock: Clock): Promise<void> {
  return new Promise(resolve => clock.defer(resolve))
}
