// Polls a condition, for what real processes do without telling: nothing else should need it.
import { setTimeout as wait } from 'node:timers/promises'

export interface EventuallyOptions {
  /** Default 10,000. */
  withinMs?: number
  /** Default 20. */
  everyMs?: number
}

/**
 * The first value of `check` that is neither false, null nor undefined. A check that throws has not succeeded yet;
 * after `withinMs` the last thing it threw is the cause of the rejection.
 */
export async function eventually<T>(
  what: string,
  check: () => T | Promise<T>,
  { withinMs = 10_000, everyMs = 20 }: EventuallyOptions = {}
): Promise<NonNullable<Exclude<T, false>>> {
  const deadline = performance.now() + withinMs
  let cause: unknown
  do {
    try {
      const value = await check()
      if (value !== false && value !== null && value !== undefined)
        return value as NonNullable<Exclude<T, false>>
    } catch (error) {
      cause = error
    }
    await wait(everyMs)
  } while (performance.now() < deadline)
  throw new Error(`not within ${withinMs} ms: ${what}`, { cause })
}
