// Asks the owner of a client id, and whoever is the owner then, until it answers: the ring may be changing.
import { ShoalError } from '../errors.ts'
import type { Clock } from '../runtime/clock.ts'
import { keyOf } from './registry.ts'

export interface Ring {
  readonly clock: Clock
  /** The node that owns a key; null: none. */
  ownerOf(key: string): string | null
}

const RETRY_MS = 20

/** Rejects with what `ask` rejects with if that is not retryable, or TIMEOUT after `forMs`. */
export async function insist<T>(
  { clock, ownerOf }: Ring,
  clientId: string,
  forMs: number,
  ask: (owner: string) => Promise<T>
): Promise<T> {
  const deadline = clock.now() + forMs
  while (clock.now() < deadline) {
    const owner = ownerOf(keyOf(clientId))
    try {
      if (owner !== null) return await ask(owner)
    } catch (error) {
      if (!(error instanceof ShoalError) || !error.retryable) throw error
    }
    await new Promise<void>(resolve => {
      clock.after(RETRY_MS, resolve)
    })
  }
  throw new ShoalError('TIMEOUT', { clientId, forMs })
}
