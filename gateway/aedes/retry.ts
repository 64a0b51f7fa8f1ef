// Tries again what the ring did not allow yet: a node has died and is not missed, or two nodes do not see the same ring.
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
