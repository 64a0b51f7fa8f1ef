// The figures of a comparison: what each is called, how it is written, and which way is better.
import { count, duration, memory } from '../report/figures.ts'

export interface FigureKind {
  title: string
  text(value: number): string
  /** Nothing where neither is. */
  better?: 'more' | 'less'
}

const micros = (us: number) => (us >= 99.95 ? count(us) : us.toPrecision(us < 0.1 ? 2 : 3))
const percent = (value: number) => `${value.toPrecision(value < 10 ? 2 : 3)} %`

export const FIGURES = {
  cpuUsPerDelivery: { title: 'CPU-µs per delivery', text: micros, better: 'less' },
  deliveriesPerSecond: { title: 'deliveries/s', text: count, better: 'more' },
  p50Us: { title: 'p50', text: duration, better: 'less' },
  p99Us: { title: 'p99', text: duration, better: 'less' },
  cpuPercent: { title: 'CPU', text: percent },
  rssKib: { title: 'memory', text: memory },
  cpuUsPerConnect: { title: 'CPU-µs per connect', text: micros, better: 'less' },
  kibPerConnection: { title: 'KiB per connection', text: micros, better: 'less' },
  connectsPerSecond: { title: 'connects/s', text: count, better: 'more' },
  connackP99Us: { title: 'p99 to CONNACK', text: duration, better: 'less' },
  idleCpuPercent: { title: 'CPU when idle', text: percent }
} as const satisfies Record<string, FigureKind>

export type FigureName = keyof typeof FIGURES
export type Figures = Partial<Record<FigureName, number>>

/** How often `value` is better than `base` is worse: 2 when it is twice as good. Undefined where neither is better. */
export function advantage(name: FigureName, value: number, other: number): number | undefined {
  const { better }: FigureKind = FIGURES[name]
  if (better === undefined || !(value > 0) || !(other > 0)) return undefined
  return better === 'more' ? value / other : other / value
}

/** A figure as it is written; `-` when there is none. */
export function figureText(name: FigureName, value: number | undefined): string {
  return value === undefined ? '-' : FIGURES[name].text(value)
}
