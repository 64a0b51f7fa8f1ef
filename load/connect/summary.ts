// The connect scenario's result as text.
import { count, duration } from '../report/figures.ts'
import type { ConnectResult } from './connect.ts'

export function connectSummary(result: ConnectResult): string {
  const { connectLatency: latency } = result
  const rows: [string, string][] = [
    ['connects/s', count(result.connectsPerSecond)],
    [
      'to CONNACK',
      `p50 ${duration(latency.p50Us)}  p99 ${duration(latency.p99Us)}  max ${duration(latency.maxUs)}`
    ]
  ]
  if (result.cpuUsPerConnect !== undefined)
    rows.push(['CPU per connect', `${count(result.cpuUsPerConnect)} µs of the broker`])
  if (result.kibPerConnection !== undefined)
    rows.push(['memory', `${result.kibPerConnection.toPrecision(3)} KiB RSS a connection`])
  if (result.idleCpuPercent !== undefined)
    rows.push(['idle', `${result.idleCpuPercent.toPrecision(2)} % CPU`])
  if (result.churnedPerSecond !== undefined) {
    const cost =
      result.cpuUsPerChurn === undefined ? '' : `, ${count(result.cpuUsPerChurn)} µs of the broker each`
    rows.push(['churn', `${count(result.churnedPerSecond)} closed and reopened a second${cost}`])
  }
  rows.push([
    'checked',
    result.lost === 0
      ? 'no connection ended by itself'
      : `FAULTS: ${result.lost} connections ended by themselves`
  ])
  for (const error of result.errors) rows.push(['error', error])
  return [`connect: ${result.title}`, ...rows.map(([name, text]) => `  ${name.padEnd(18)}${text}`)].join('\n')
}
