// A run as one self-contained page: figures, rate and latency over time, the latency distribution,
// the broker's CPU and memory.
import { caveatsOf } from '../caveats.ts'
import { faultsOf } from '../integrity.ts'
import { circumstancesOf, type LoadResult } from '../result.ts'
import { chart, escapeText } from './chart.ts'
import { count, duration, memory } from './figures.ts'
import { page, placeOf } from './page.ts'
import { brokerCharts, figureList, latencyChart, PARTS_STYLE, remarks, seconds } from './parts.ts'

function figures(result: LoadResult): string {
  const { latency } = result
  const shown: [string, string][] = [
    ['deliveries/s', count(result.deliveriesPerSecond)],
    ['published/s', count(result.publishedPerSecond)],
    ['p50', duration(latency.p50Us)],
    ['p99', duration(latency.p99Us)],
    ['p99.9', duration(latency.p999Us)],
    ['max', duration(latency.maxUs)]
  ]
  if (result.cpuUsPerDelivery !== undefined) {
    shown.push(['broker CPU per delivery', `${result.cpuUsPerDelivery.toPrecision(3)} µs`])
    const rssKib = result.brokers.reduce((sum, { rssKibMax }) => sum + rssKibMax, 0)
    shown.push(['broker memory, most', memory(rssKib)])
  }
  shown.push(['generator busy', `${result.generator.busyPercent.toFixed(0)} %`])
  return figureList(shown)
}

function verdict(result: LoadResult, allowLoss: boolean): string {
  const { expected } = result.integrity
  const faults = faultsOf(result.integrity, allowLoss)
  const caveats = caveatsOf(circumstancesOf(result)).map(({ what, so }) => `${what}: ${so}.`)
  const found =
    faults.length === 0
      ? remarks('good', [`${count(expected)} deliveries checked: each arrived once and in order.`])
      : remarks('bad', [`faults: ${faults.join(', ')} of ${expected} deliveries.`])
  return found + remarks('bad', [...caveats, ...result.errors])
}

function charts({ timeline, distribution, brokers, measuredSeconds }: LoadResult): string {
  const over = (figure: (point: LoadResult['timeline'][number]) => number) =>
    timeline.map(point => [point.seconds, figure(point)] as const)
  const from = Math.max(0, (timeline.at(-1)?.seconds ?? 0) - measuredSeconds)
  return [
    chart({
      title: 'Deliveries per second',
      series: [{ name: '', points: over(point => point.deliveriesPerSecond) }],
      xText: seconds,
      yText: count,
      from
    }),
    chart({
      title: 'Latency over time',
      series: [
        { name: 'p50', points: over(point => point.p50Us) },
        { name: 'p99', points: over(point => point.p99Us) }
      ],
      xText: seconds,
      yText: duration,
      yLogarithmic: true,
      from
    }),
    latencyChart('Latency by percentile', distribution),
    brokers.length === 0 ? '' : brokerCharts(timeline, from)
  ].join('')
}

/** The page. */
export function htmlReport(result: LoadResult, allowLoss: boolean): string {
  const kind = `${result.kind}, ${result.measuredSeconds.toFixed(1)} s measured`
  return page(
    `${result.scenario}: ${result.title}`,
    PARTS_STYLE,
    `<p>${escapeText(kind)}</p>
${verdict(result, allowLoss)}
${figures(result)}
${charts(result)}
${placeOf(result)}`
  )
}
