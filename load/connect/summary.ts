// The connect scenario's result, and its progress, as text.
import { caveatsOf } from '../caveats.ts'
import type { Screen, ScreenLines } from '../report/console.ts'
import { count, duration, memory } from '../report/figures.ts'
import type { ConnectProgress } from './connect.ts'
import type { ConnectResult } from './result.ts'

/** One line on a terminal, rewritten in place; elsewhere a line each second. */
export function connectProgress(lines: ScreenLines, screen: Screen, connections: number): ConnectProgress {
  let shownSecond = -1
  return (point, phase) => {
    const second = Math.floor(point.seconds)
    if (screen.isTTY !== true && second === shownSecond) return
    shownSecond = second
    const parts = [
      `${point.seconds.toFixed(0).padStart(3)} s`,
      phase.padEnd(5),
      phase === 'ramp' ? `${point.connected} of ${connections}` : `${point.connected} opened`,
      `${count(point.connectsPerSecond)}/s`,
      ...(point.brokerRssKib === 0
        ? []
        : [`broker ${point.brokerCpuPercent.toFixed(0)} % ${memory(point.brokerRssKib)}`])
    ]
    lines.show(parts.join('  '))
  }
}

export function connectCaveats({ othersCpuPercent = 0 }: ConnectResult): string[] {
  const circumstances = { generatorWasTheLimit: false, othersCpuPercent, heldBackPercent: 0 }
  return caveatsOf(circumstances).map(({ what, so }) => `${what}: ${so}`)
}

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
  for (const caveat of connectCaveats(result)) rows.push(['', caveat.toUpperCase()])
  rows.push([
    'checked',
    result.lost === 0
      ? 'no connection ended by itself'
      : `FAULTS: ${result.lost} connections ended by themselves`
  ])
  for (const error of result.errors) rows.push(['error', error])
  return [`connect: ${result.title}`, ...rows.map(([name, text]) => `  ${name.padEnd(18)}${text}`)].join('\n')
}
