// What a run found out, as it is printed, written as JSON and drawn. Rates are per second, times µs
// where the name says nothing else.
import type { Circumstances } from './caveats.ts'
import type { Integrity } from './integrity.ts'
import type { LatencySummary } from './latency.ts'
import type { Machine } from './machine.ts'

/** CPU and memory of one broker process (threads and children included) over the measured time. */
export interface ProcessFigures {
  pid: number
  userUs: number
  systemUs: number
  /** Of one core. */
  cpuPercent: number
  rssKib: number
  rssKibMax: number
}

/** One second of the run, measured or not. */
export interface TimelinePoint {
  /** Since the start of the load. */
  seconds: number
  publishedPerSecond: number
  deliveriesPerSecond: number
  p50Us: number
  p99Us: number
  inFlight: number
  /** Faults since the start. */
  errors: number
  /** Of one core, all broker processes together. */
  brokerCpuPercent: number
  brokerRssKib: number
}

export interface GeneratorFigures {
  /** User and system time of the generator in the measured time. */
  cpuUs: number
  /** Share of the measured time that the busiest thread's event loop was busy, percent. */
  busyPercent: number
  /** How late messages left against their schedule; open loop only. */
  lateness: LatencySummary | undefined
  /** The generator, not the broker, set the pace. */
  wasTheLimit: boolean
}

export interface LoadResult {
  scenario: string
  title: string
  /** QoS and payload, as words; of a mixture, its groups. */
  kind: string
  command: string
  date: string
  machine: Machine
  options: Record<string, unknown>
  measuredSeconds: number
  published: number
  deliveries: number
  publishedPerSecond: number
  deliveriesPerSecond: number
  latency: LatencySummary
  /** Latency distribution as [µs, count] pairs, empty buckets left out. */
  distribution: [us: number, count: number][]
  integrity: Integrity
  /** Lost messages are counted, but are no fault. */
  lossAllowed: boolean
  brokers: ProcessFigures[]
  /** All brokers' CPU time for one delivery; undefined without --pid. */
  cpuUsPerDelivery: number | undefined
  generator: GeneratorFigures
  /** What neither brokers nor generator took of the machine, percent of one core; undefined without --pid. */
  othersCpuPercent: number | undefined
  /** Open loop: messages that were due while the broker had not taken earlier ones, percent. */
  heldBackPercent: number | undefined
  timeline: TimelinePoint[]
  /** First few errors of connections. */
  errors: string[]
  /** Times that nothing came for a second, and so all windows of QoS 0 were opened by force. */
  stalls: number
}

/** What stood in the way of a result, or did not. */
export function circumstancesOf(result: LoadResult): Circumstances {
  return {
    generatorWasTheLimit: result.generator.wasTheLimit,
    othersCpuPercent: result.othersCpuPercent ?? 0,
    heldBackPercent: result.heldBackPercent ?? 0
  }
}
