// Waiting for a machine that has nothing else to do: what others take makes rates and latencies worthless,
// and even CPU times longer, since they share the caches.
import { setTimeout as after } from 'node:timers/promises'
import { OTHERS_PERCENT_MAX } from '../caveats.ts'
import { machineCpuUs } from '../processes.ts'

const LOOK_MS = 500

/** Waits until the machine was quiet for a moment, or `patienceMs` are over. Does not wait without /proc. */
export async function untilQuiet(patienceMs: number): Promise<void> {
  const deadlineMs = performance.now() + patienceMs
  while (performance.now() < deadlineMs) {
    const [beforeUs, beforeMs] = [machineCpuUs(), performance.now()]
    await after(LOOK_MS)
    const percent = (machineCpuUs() - beforeUs) / (performance.now() - beforeMs) / 10
    if (!(percent > OTHERS_PERCENT_MAX)) return
  }
}
