// A run as one self-contained page: figures, rate and latency over time, the latency distribution,
// the broker's CPU and memory.
import { caveatsOf } from '../caveats.ts'
import { faultsOf } from '../integrity.ts'
import { circumstancesOf, type LoadResult } from '../result.ts'
import { chart, escapeText } from './chart.ts'
import { count, duration, memory } from './figures.ts'
import { page } from './page.ts'

const STYLE = `
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: .75rem; margin: 1.25rem 0 }
dt { color: var(--quiet); font-size: .85rem } dd { margin: 0; font-size: 1.25rem; font-variant-numeric: tabular-nums }
svg { width: 100%; height: auto } svg text { fill: var(--quiet); font-size: 12px }
.grid { stroke: var(--grid); fill: none } polyline { fill: none; stroke-width: 2 }
.line0 { stroke: var(--one) } .line1 { stroke: var(--two) } .key0 { color: var(--one) } .key1 { color: var(--two) }
`

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
  return `<dl>${shown.map(([name, text]) => `<div><dt>${escapeText(name)}</dt><dd>${escapeText(text)}</dd></div>`).join('')}</dl>`
}

function verdict(result: LoadResult, allowLoss: boolean): string {
  const faults = faultsOf(result.integrity, allowLoss)
  const sound = `${count(result.integrity.expected)} deliveries checked: each arrived once and in order.`
  const caveats = caveatsOf(circumstancesOf(result))
    .map(({ what, so }) => `<p class="bad">${escapeText(`${what}: ${so}`)}</p>`)
    .join('')
  return faults.length === 0
    ? `<p class="good">${sound}</p>${caveats}`
    : `<p class="bad">Faults: ${escapeText(faults.join(', '))} of ${result.integrity.expected} deliveries.</p>${caveats}`
}

function charts({ timeline, distribution, brokers }: LoadResult): string {
  const seconds = (x: number) => `${x} s`
  const over = (figure: (point: LoadResult['timeline'][number]) => number) =>
    timeline.map(point => [point.seconds, figure(point)] as const)
  const total = distribution.reduce((sum, [, n]) => sum + n, 0)
  let seen = 0
  const shares = distribution.map(([us, n]) => {
    seen += n
    return [us, (seen / total) * 100] as const
  })
  const watched = brokers.length > 0
  return [
    chart({
      title: 'Deliveries per second',
      series: [{ name: '', points: over(point => point.deliveriesPerSecond) }],
      xText: seconds,
      yText: count
    }),
    chart({
      title: 'Latency over time',
      series: [
        { name: 'p50', points: over(point => point.p50Us) },
        { name: 'p99', points: over(point => point.p99Us) }
      ],
      xText: seconds,
      yText: duration,
      yLogarithmic: true
    }),
    chart({
      title: 'Deliveries within a latency',
      series: [{ name: '', points: shares }],
      xText: duration,
      yText: y => `${y} %`,
      xLogarithmic: true
    }),
    !watched
      ? ''
      : chart({
          title: 'Broker CPU, percent of a core',
          series: [{ name: '', points: over(point => point.brokerCpuPercent) }],
          xText: seconds,
          yText: y => `${y} %`
        }),
    !watched
      ? ''
      : chart({
          title: 'Broker memory',
          series: [{ name: '', points: over(point => point.brokerRssKib) }],
          xText: seconds,
          yText: memory
        })
  ].join('')
}

/** The page. */
export function htmlReport(result: LoadResult, allowLoss: boolean): string {
  const { machine } = result
  const kind = `${result.kind}, ${result.measuredSeconds.toFixed(1)} s measured`
  const place = `${machine.cpu}, ${machine.cores} cores, ${machine.kernel}, Node ${machine.node}, ${result.date}`
  return page(
    `${result.scenario}: ${result.title}`,
    STYLE,
    `<p>${escapeText(kind)}</p>
${verdict(result, allowLoss)}
${figures(result)}
${charts(result)}
<p><code>${escapeText(result.command)}</code></p>
<p>${escapeText(place)}</p>`
  )
}
