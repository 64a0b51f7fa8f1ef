// What a run prints: one live line on a terminal, a plain line a second elsewhere, and a summary.
import { caveatsOf } from '../caveats.ts'
import { faultsOf } from '../integrity.ts'
import { circumstancesOf, type LoadResult, type TimelinePoint } from '../result.ts'
import type { Phase, Progress } from '../run.ts'
import { count, duration, memory } from './figures.ts'

/** A stream that may be a terminal. */
export interface Screen {
  isTTY?: boolean
  write(text: string): unknown
}

export interface ScreenLines {
  show(text: string): void
  end(): void
}

/** Shows one line after the other; on a terminal in the place of the one before. `end` leaves the last one there. */
export function screenLines(screen: Screen, quiet: boolean): ScreenLines {
  const live = screen.isTTY === true
  let open = false
  return {
    show(text) {
      if (quiet) return
      screen.write(live ? `\r\x1b[2K${text}` : `${text}\n`)
      open = live
    },
    end() {
      if (open) screen.write('\n')
      open = false
    }
  }
}

/** Progress on `screen`; on a terminal the line is rewritten in place. */
export function consoleProgress(screen: Screen, quiet: boolean): Progress {
  const lines = screenLines(screen, quiet)
  return {
    phase(phase, plan) {
      if (phase === 'connect') lines.show(`connecting ${plan.clients.length} clients: ${plan.title}`)
      if (phase === 'drain') lines.end()
    },
    point(point, phase, totalSeconds) {
      lines.show(progressLine(point, phase, totalSeconds))
    }
  }
}

function progressLine(point: TimelinePoint, phase: Phase, totalSeconds: number): string {
  const parts = [
    `${point.seconds.toFixed(0).padStart(3)}/${totalSeconds.toFixed(0)} s`,
    phase === 'measure' ? '' : phase,
    `${count(point.deliveriesPerSecond)} deliveries/s`,
    `p50 ${duration(point.p50Us)}`,
    `p99 ${duration(point.p99Us)}`,
    `${count(point.inFlight)} in flight`,
    `${count(point.errors)} errors`,
    point.brokerRssKib === 0
      ? ''
      : `broker ${point.brokerCpuPercent.toFixed(0)} % ${memory(point.brokerRssKib)}`
  ]
  return parts.filter(part => part !== '').join('  ')
}

/** The summary of a run. */
export function summary(result: LoadResult, allowLoss: boolean): string {
  const { latency, integrity, generator } = result
  const rows: [string, string][] = [
    [
      'deliveries/s',
      `${count(result.deliveriesPerSecond)}   (published/s ${count(result.publishedPerSecond)})`
    ],
    [
      'latency',
      `p50 ${duration(latency.p50Us)}  p90 ${duration(latency.p90Us)}  p99 ${duration(latency.p99Us)}  p99.9 ${duration(latency.p999Us)}  max ${duration(latency.maxUs)}`
    ]
  ]
  for (const { pid, cpuPercent, userUs, systemUs, rssKib, rssKibMax } of result.brokers) {
    const share = `${duration(userUs)} user + ${duration(systemUs)} system`
    rows.push([
      `broker ${pid}`,
      `${cpuPercent.toFixed(0)} % CPU (${share})  ${memory(rssKib)}, at most ${memory(rssKibMax)}`
    ])
  }
  if (result.cpuUsPerDelivery !== undefined) {
    rows.push(['CPU per delivery', `${result.cpuUsPerDelivery.toPrecision(3)} µs of the broker`])
  }
  const late = generator.lateness ? `, sent late by p99 ${duration(generator.lateness.p99Us)}` : ''
  const perDelivery = (generator.cpuUs / Math.max(1, result.deliveries)).toPrecision(3)
  rows.push([
    'generator',
    `busy ${generator.busyPercent.toFixed(0)} %${late}, ${perDelivery} µs CPU per delivery`
  ])
  for (const { what, so } of caveatsOf(circumstancesOf(result))) {
    rows.push(['', `${what.toUpperCase()}: ${so}`])
  }
  if (result.stalls > 0) rows.push(['', `stalled ${result.stalls} times: nothing came for a second`])
  const faults = faultsOf(integrity, allowLoss)
  const lost = integrity.lost > 0 && allowLoss ? ` (${integrity.lost} lost, allowed)` : ''
  rows.push([
    'checked',
    faults.length === 0
      ? `${count(integrity.expected)} deliveries, each once and in order${lost}`
      : `FAULTS: ${faults.join(', ')} of ${integrity.expected} deliveries`
  ])
  for (const error of result.errors) rows.push(['error', error])
  const heading = `${result.scenario}: ${result.title}, ${result.kind}, ${result.measuredSeconds.toFixed(1)} s`
  return [heading, ...rows.map(([name, text]) => `  ${name.padEnd(18)}${text}`)].join('\n')
}
