// Room for garbage. V8 marks all of the heap, the living with the dead, when it has grown by a part of what lives, array
// buffers counted in. A broker's heap is small and it reads a lot: 30 MiB, a tenth of a second at full speed, and it would
// mark 11 MiB of what lives once more, on all cores: a quarter of its CPU time, in pauses of 5 to 20 ms. What was read
// is dead long before; with more room the quick collections of young garbage free it, in about a ms, and marking is rare.
//
// V8 has no option for an amount of room, only for a part of what lives; so this is set anew as what lives changes.
// Measured on Node 20 and 22. The V8 of Node 24 counts array buffers apart: there it changes little.
import { getHeapStatistics, setFlagsFromString } from 'node:v8'
import type { Clock, Timer } from '../../broker/runtime/clock.ts'

/** So much garbage may lie in the heap before it is marked, whatever lives there. */
const ROOM_BYTES = 192 * 1024 * 1024
const PERIOD_MS = 5000
/** 0 leaves it to V8. */
const OWN_POLICY = 0
const PERCENT_MAX = 2000

/** By how much a heap of `usedBytes` may grow, in percent; 0 when V8's own policy gives as much. */
export function growthPercent(usedBytes: number): number {
  const percent = Math.round((100 * ROOM_BYTES) / usedBytes)
  return percent <= 100 ? OWN_POLICY : Math.min(percent, PERCENT_MAX)
}

/** Keeps the room until it is cancelled. One a thread; the last to say it, says it for the process. */
export function keepHeapRoom(clock: Clock): Timer {
  let last = OWN_POLICY
  const set = (): void => {
    const percent = growthPercent(getHeapStatistics().used_heap_size)
    if (Math.abs(percent - last) <= last / 4) return
    last = percent
    setFlagsFromString(`--heap-growing-percent=${percent}`)
  }
  set()
  return clock.every(PERIOD_MS, set)
}
