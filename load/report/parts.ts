// What the report pages of single runs are made of: a list of figures, and charts of latency, CPU and memory.
import { chart, escapeText } from './chart.ts'
import { duration } from './figures.ts'

export const PARTS_STYLE = `
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: .75rem; margin: 1.25rem 0 }
dt { color: var(--quiet); font-size: .85rem } dd { margin: 0; font-size: 1.25rem; font-variant-numeric: tabular-nums }
.plot { position: relative; height: 14rem; margin: .5rem 1.5rem 1.75rem 4.5rem; font-size: .75rem; color: var(--quiet) }
.plot svg { width: 100%; height: 100%; overflow: visible } .plot span { position: absolute; white-space: nowrap }
.y { right: 100%; padding-right: .5rem; transform: translateY(-50%) } .x { top: 100%; padding-top: .35rem; transform: translateX(-50%) }
.grid, polyline { fill: none; vector-effect: non-scaling-stroke } .grid { stroke: var(--grid) } polyline { stroke-width: 2 }
.shade { fill: var(--grid); opacity: .5 }
.line0 { stroke: var(--one) } .line1 { stroke: var(--two) } .key0 { color: var(--one) } .key1 { color: var(--two) }
`

/** Figures, each under its name. */
export function figureList(shown: readonly (readonly [name: string, text: string])[]): string {
  const items = shown.map(
    ([name, text]) => `<div><dt>${escapeText(name)}</dt><dd>${escapeText(text)}</dd></div>`
  )
  return `<dl>${items.join('')}</dl>`
}

/** Sentences about a run, good or bad, each a paragraph. */
export function remarks(kind: 'good' | 'bad', sentences: readonly string[]): string {
  return sentences
    .map(text => `<p class="${kind}">${escapeText(text.charAt(0).toUpperCase() + text.slice(1))}</p>`)
    .join('')
}

/** Seconds of an axis. */
export function seconds(x: number): string {
  return `${x} s`
}

/** `99.9` for 1,000: of so many, one is beyond. */
function percentile(oneOf: number): string {
  return String(Number((100 - 100 / oneOf).toPrecision(12)))
}

/** A distribution of [µs, count] pairs in ascending order: the latency that each share did not exceed. */
export function latencyChart(title: string, distribution: readonly (readonly [number, number])[]): string {
  const total = distribution.reduce((sum, [, count]) => sum + count, 0)
  let seen = 0
  const points = distribution.map(([us, count]) => {
    seen += count
    return [total / Math.max(1, total - seen), us] as const
  })
  const series = [{ name: '', points }]
  return chart({ title, series, xText: percentile, yText: duration, xLogarithmic: true, yLogarithmic: true })
}

/** A moment of a run, as far as the broker's processes go. */
interface Watched {
  seconds: number
  brokerCpuPercent: number
  brokerRssKib: number
}

/** CPU and memory of the broker over time. */
export function brokerCharts(timeline: readonly Watched[], from?: number): string {
  const over = (figure: (point: Watched) => number) => [
    { name: '', points: timeline.map(point => [point.seconds, figure(point)] as const) }
  ]
  const since = from === undefined ? {} : { from }
  return [
    chart({
      title: 'Broker CPU, percent of a core',
      series: over(point => point.brokerCpuPercent),
      xText: seconds,
      yText: y => `${y} %`,
      ...since
    }),
    chart({
      title: 'Broker memory',
      series: over(point => point.brokerRssKib / 1_024),
      xText: seconds,
      yText: y => `${y} MiB`,
      ...since
    })
  ].join('')
}
