// Readings of a connect run: how many connections were opened, and what that had cost the brokers by then.
import type { Board } from '../board.ts'
import { machineCpuUs, type Usage, usageOf } from '../processes.ts'
import type { ConnectPoint } from './result.ts'

export interface Reading {
  atMs: number
  /** Connections opened so far. */
  connected: number
  cpuUs: number
  rssKib: number
  /** Of the machine without brokers and generator. */
  othersCpuUs: number
}

export function read(board: Board, pids: readonly number[]): Reading {
  const usage = usageOf(pids)
  const sum = (figure: (one: Usage) => number) => usage.reduce((total, one) => total + figure(one), 0)
  const cpuUs = sum(one => one.userUs + one.systemUs)
  const { user, system } = process.cpuUsage()
  return {
    atMs: performance.now(),
    connected: board.total('connected'),
    cpuUs,
    rssKib: sum(one => one.rssKib),
    othersCpuUs: machineCpuUs() - cpuUs - user - system
  }
}

/** Of one core. */
export function cpuPercent(from: Reading, to: Reading): number {
  return (to.cpuUs - from.cpuUs) / (to.atMs - from.atMs) / 10
}

export function connectsPerSecond(from: Reading, to: Reading): number {
  return ((to.connected - from.connected) / (to.atMs - from.atMs)) * 1_000
}

/** A reading as a point of the run's course, with the one before it; `start` is when the first connection was opened. */
export function pointOf(start: Reading, before: Reading, reading: Reading): ConnectPoint {
  return {
    seconds: (reading.atMs - start.atMs) / 1_000,
    connectsPerSecond: connectsPerSecond(before, reading),
    connected: reading.connected,
    brokerCpuPercent: cpuPercent(before, reading),
    brokerRssKib: reading.rssKib
  }
}
