// Readings of the board, the brokers and the generator at one moment, and what lies between two of them.
import type { Board } from './board.ts'
import type { Crew } from './crew.ts'
import type { Expectation } from './expectation.ts'
import { percentileUs, summarise } from './latency.ts'
import { machineCpuUs, type Usage, usageOf } from './processes.ts'
import type { GeneratorFigures, ProcessFigures, TimelinePoint } from './result.ts'
import { nowUs } from './stamp.ts'

/** A thread busy for this share of the time had no room to do more. */
const BUSY_LIMIT_PERCENT = 92
/** Open loop: messages that leave later than this spoil the latencies. */
const LATE_LIMIT_US = 1_000
const ERRORS = ['lost', 'duplicated', 'reordered', 'foreign', 'refused', 'disconnected'] as const

export interface Sample {
  atUs: number
  published: number
  deliveries: number
  settled: number
  /** Deliveries that what was published makes. */
  expected: number
  latencies: Float64Array
  lateness: Float64Array
  /** Open loop: messages that were due while the broker had not taken earlier ones. */
  heldBack: number
  /** What went wrong so far: lost, duplicated, reordered, foreign, refused, disconnected. */
  errors: number
  usage: Usage[]
  generatorCpuUs: number
  machineCpuUs: number
  loopTimes: { active: number; idle: number }[]
}

export function takeSample(
  board: Board,
  expectation: Expectation,
  crew: Crew,
  pids: readonly number[]
): Sample {
  const { user, system } = process.cpuUsage()
  const usage = usageOf(pids)
  const latencies = board.distribution('latencies')
  return {
    usage,
    atUs: nowUs(),
    published: board.publishedTotal(),
    // Each delivery has its latency: counted there, the two agree while the threads go on.
    deliveries: latencies.reduce((sum, count) => sum + count, 0),
    settled: board.settledTotal(),
    expected: expectation.deliveries(),
    latencies,
    lateness: board.distribution('lateness'),
    heldBack: board.total('heldBack'),
    errors: ERRORS.reduce((sum, name) => sum + board.total(name), 0),
    generatorCpuUs: user + system,
    machineCpuUs: machineCpuUs(),
    loopTimes: crew.loopTimes()
  }
}

/** Counts of `to` that `from` did not have. */
export function difference(from: Float64Array, to: Float64Array): Float64Array {
  return to.map((count, bucket) => count - from[bucket]!)
}

function cpuUs(usage: readonly Usage[]): number {
  return usage.reduce((sum, { userUs, systemUs }) => sum + userUs + systemUs, 0)
}

export function timelinePoint(from: Sample, to: Sample, startUs: number): TimelinePoint {
  const seconds = (to.atUs - from.atUs) / 1e6
  const latencies = difference(from.latencies, to.latencies)
  return {
    seconds: (to.atUs - startUs) / 1e6,
    publishedPerSecond: (to.published - from.published) / seconds,
    deliveriesPerSecond: (to.deliveries - from.deliveries) / seconds,
    p50Us: percentileUs(latencies, 0.5),
    p99Us: percentileUs(latencies, 0.99),
    inFlight: to.expected === 0 ? 0 : Math.round(Math.max(0, to.published * (1 - to.settled / to.expected))),
    errors: to.errors,
    brokerCpuPercent: (cpuUs(to.usage) - cpuUs(from.usage)) / seconds / 1e4,
    brokerRssKib: to.usage.reduce((sum, { rssKib }) => sum + rssKib, 0)
  }
}

/** What each broker process used between the first and the last of `samples`. */
export function processFigures(pids: readonly number[], samples: readonly Sample[]): ProcessFigures[] {
  const from = samples[0]!
  const to = samples.at(-1)!
  return pids.map((pid, i) => {
    const userUs = to.usage[i]!.userUs - from.usage[i]!.userUs
    const systemUs = to.usage[i]!.systemUs - from.usage[i]!.systemUs
    return {
      pid,
      userUs,
      systemUs,
      cpuPercent: ((userUs + systemUs) / (to.atUs - from.atUs)) * 100,
      rssKib: to.usage[i]!.rssKib,
      rssKibMax: Math.max(...samples.map(sample => sample.usage[i]!.rssKib))
    }
  })
}

/**
 * What the generator used. Busy all the time, it still was not the limit when the brokers were so too.
 * In open loop it spins, so there the lateness of its messages is the measure.
 */
export function generatorFigures(from: Sample, to: Sample, openLoop: boolean): GeneratorFigures {
  const busyPercent = Math.max(
    ...to.loopTimes.map((loop, thread) => {
      const active = loop.active - from.loopTimes[thread]!.active
      const idle = loop.idle - from.loopTimes[thread]!.idle
      return (active / (active + idle)) * 100
    })
  )
  const lateness = openLoop ? summarise(difference(from.lateness, to.lateness)) : undefined
  const brokerCpuPercent = ((cpuUs(to.usage) - cpuUs(from.usage)) / (to.atUs - from.atUs)) * 100
  const brokersHadRoom = to.usage.length === 0 || brokerCpuPercent < BUSY_LIMIT_PERCENT * to.usage.length
  const wasTheLimit = lateness
    ? lateness.p99Us > LATE_LIMIT_US
    : busyPercent > BUSY_LIMIT_PERCENT && brokersHadRoom
  return { cpuUs: to.generatorCpuUs - from.generatorCpuUs, busyPercent, lateness, wasTheLimit }
}

/** Open loop: the share of the messages that were due while the broker had not taken earlier ones, percent. */
export function heldBackPercent(from: Sample, to: Sample): number {
  const heldBack = to.heldBack - from.heldBack
  const punctual = difference(from.lateness, to.lateness).reduce((sum, count) => sum + count, 0)
  return heldBack === 0 ? 0 : (heldBack / (heldBack + punctual)) * 100
}

/** What other processes took meanwhile, percent of one core; undefined when the brokers are not known. */
export function othersCpuPercent(from: Sample, to: Sample): number | undefined {
  if (to.usage.length === 0) return undefined
  const ours = cpuUs(to.usage) - cpuUs(from.usage) + to.generatorCpuUs - from.generatorCpuUs
  const others = ((to.machineCpuUs - from.machineCpuUs - ours) / (to.atUs - from.atUs)) * 100
  return Number.isNaN(others) ? undefined : Math.max(0, others)
}
