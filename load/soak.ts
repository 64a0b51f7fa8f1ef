// `load soak`: nodes of our own under full load for a long time, to see what a short run cannot show: memory that
// only grows. The first quarter of the time is left out, since heaps and buffers are still finding their size.
import { BROKERS } from './compare/brokers.ts'
import { checkOptions, type RawOptions } from './options.ts'
import { consoleProgress, type Screen } from './report/console.ts'
import { memory } from './report/figures.ts'
import { tellResult } from './report/told.ts'
import type { TimelinePoint } from './result.ts'
import { run } from './run.ts'

const USUAL: RawOptions = { duration: '600', qos: '1' }
const QUARTERS = 4
/** Growth that is no fault: what a garbage collector leaves lying about for a while. */
const GROWTH_PERCENT_MAX = 10
const GROWTH_KIB_MAX = 16 * 1024

/** What brokers held in each quarter of a run. */
export interface MemoryCourse {
  /** Medians in KiB, one a quarter, oldest first. */
  quartersKib: number[]
  /** The last quarter holds so much more than the second that it is no chance. */
  isGrowing: boolean
}

/** The course of memory over the points of a run; `brokers` is how many processes share it. Needs four points. */
export function memoryCourse(timeline: readonly TimelinePoint[], brokers: number): MemoryCourse {
  const quartersKib = Array.from({ length: QUARTERS }, (_, quarter) => {
    const from = Math.floor((timeline.length * quarter) / QUARTERS)
    const to = Math.floor((timeline.length * (quarter + 1)) / QUARTERS)
    return median(timeline.slice(from, to).map(point => point.brokerRssKib))
  })
  const [, second = 0, , last = 0] = quartersKib
  const growthMaxKib = (second * GROWTH_PERCENT_MAX) / 100 + GROWTH_KIB_MAX * brokers
  return { quartersKib, isGrowing: last - second > growthMaxKib }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >>> 1] ?? 0
}

/** Runs it, and returns the exit code: 1 when a message was lost, doubled or misplaced, or memory only grew. */
export async function soakMain(raw: RawOptions, screen: Screen): Promise<number> {
  checkOptions({ ...USUAL, ...raw })
  const cluster = await BROKERS['shoal-cluster'].start(undefined)
  try {
    const options = checkOptions({
      ...USUAL,
      ...raw,
      url: cluster.urls,
      pid: cluster.pids.map(String)
    })
    const result = await run('pairs', options, consoleProgress(screen, options.quiet))
    const isSound = tellResult(result, options, screen)
    const { quartersKib, isGrowing } = memoryCourse(result.timeline, cluster.pids.length)
    const course = quartersKib.map(memory).join(', ')
    screen.write(`  memory by quarters ${course}${isGrowing ? ': IT GROWS' : ''}\n`)
    return isSound && !isGrowing ? 0 : 1
  } finally {
    await cluster.stop()
  }
}
