// A connect run as one self-contained page: figures, how fast connections came, how long each took, and the
// broker's CPU and memory.
import { chart } from '../report/chart.ts'
import { count, duration } from '../report/figures.ts'
import { page, placeOf } from '../report/page.ts'
import { brokerCharts, figureList, latencyChart, PARTS_STYLE, remarks, seconds } from '../report/parts.ts'
import type { ConnectResult } from './result.ts'
import { connectCaveats } from './summary.ts'

function figures(result: ConnectResult): string {
  const { connectLatency: latency, cpuUsPerConnect, kibPerConnection, idleCpuPercent } = result
  const { churnedPerSecond, cpuUsPerChurn } = result
  const shown: [string, string][] = [
    ['connects/s', count(result.connectsPerSecond)],
    ['p50 to CONNACK', duration(latency.p50Us)],
    ['p99 to CONNACK', duration(latency.p99Us)],
    ['max', duration(latency.maxUs)]
  ]
  if (cpuUsPerConnect !== undefined) shown.push(['broker CPU per connect', `${count(cpuUsPerConnect)} µs`])
  if (kibPerConnection !== undefined) shown.push(['memory of each', `${kibPerConnection.toPrecision(3)} KiB`])
  if (idleCpuPercent !== undefined) shown.push(['broker CPU, idle', `${idleCpuPercent.toPrecision(2)} %`])
  if (churnedPerSecond !== undefined) shown.push(['reopened/s', count(churnedPerSecond)])
  if (cpuUsPerChurn !== undefined) shown.push(['broker CPU per reopening', `${count(cpuUsPerChurn)} µs`])
  return figureList(shown)
}

/** The page. */
export function connectPage(result: ConnectResult): string {
  const { timeline, lost, errors } = result
  const found =
    lost === 0
      ? remarks('good', ['no connection ended by itself.'])
      : remarks('bad', [`${lost} connections ended by themselves.`])
  const points = timeline.map(point => [point.seconds, point.connectsPerSecond] as const)
  return page(
    `connect: ${result.title}`,
    PARTS_STYLE,
    `${found}${remarks('bad', [...connectCaveats(result), ...errors])}
${figures(result)}
${chart({ title: 'Connections opened per second', series: [{ name: '', points }], xText: seconds, yText: count })}
${latencyChart('From opening the socket to CONNACK, by percentile', result.distribution)}
${result.cpuUsPerConnect === undefined ? '' : brokerCharts(timeline)}
${placeOf(result)}`
  )
}
