// What a connect run found out, as it is printed, written as JSON and drawn.
import type { LatencySummary } from '../latency.ts'
import type { Machine } from '../machine.ts'

/** A moment of the run. */
export interface ConnectPoint {
  /** Since the first connection was opened. */
  seconds: number
  /** Since the point before. */
  connectsPerSecond: number
  /** Connections opened so far, those reopened counted again. */
  connected: number
  /** Of one core, all broker processes together. */
  brokerCpuPercent: number
  brokerRssKib: number
}

export interface ConnectResult {
  scenario: 'connect'
  title: string
  command: string
  date: string
  machine: Machine
  connections: number
  connectsPerSecond: number
  /** From opening the socket to CONNACK. */
  connectLatency: LatencySummary
  /** The same as [µs, count] pairs, empty buckets left out. */
  distribution: [us: number, count: number][]
  /** Brokers' CPU time for one connect; undefined without --pid. */
  cpuUsPerConnect: number | undefined
  kibPerConnection: number | undefined
  /** Of one core, while all connections were idle. */
  idleCpuPercent: number | undefined
  /** What neither brokers nor generator took of the machine while it connected, percent of one core. */
  othersCpuPercent: number | undefined
  churnedPerSecond: number | undefined
  cpuUsPerChurn: number | undefined
  timeline: ConnectPoint[]
  /** Connections that ended by themselves. */
  lost: number
  errors: string[]
}
