// Line charts as SVG and text: no script, no library, colours from the page's style sheet, so that a report
// is one file that any browser shows. Lines stretch with the page; what is written beside them keeps its size,
// so that it can be read on a phone.
//
//   y tick ─ ┌────────────────────────┐ 0
//   y tick ─ │   lines, in a square   │
//            │   of 100 by 100        │
//   y tick ─ └────────────────────────┘ 100
//            x tick     x tick   x tick

export interface Series {
  name: string
  /** In ascending order of x. */
  points: readonly (readonly [x: number, y: number])[]
}

export interface Chart {
  title: string
  series: readonly Series[]
  /** How to write a value of an axis. */
  xText: (x: number) => string
  yText: (y: number) => string
  /** A logarithmic x axis; values of 0 stand at 1. */
  xLogarithmic?: boolean
  yLogarithmic?: boolean
  /** What lies before this x is not what was measured, and shown so. */
  from?: number
}

const SIDE = 100
/** What the highest point leaves free above it. */
const TOP = 3
const TICKS = 5
/** A line of more points than this is thinned: a screen shows no more. */
const POINTS_MAX = 1_000

/** One axis: from values to places on the drawing. */
class Scale {
  readonly ticks: number[]
  readonly #low: number
  readonly #high: number
  readonly #logarithmic: boolean
  readonly #from: number
  readonly #to: number

  constructor(values: readonly number[], logarithmic: boolean, from: number, to: number) {
    const highest = values.reduce((a, b) => Math.max(a, b), 0)
    const lowest = values.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY)
    this.#logarithmic = logarithmic
    this.#from = from
    this.#to = to
    this.#low = logarithmic ? Math.max(1, Math.min(lowest, highest)) : 0
    this.#high = Math.max(highest, logarithmic ? this.#low * 10 : 0) || 1
    this.ticks = logarithmic ? this.#decades() : this.#rounds()
  }

  place(value: number): number {
    const share = this.#logarithmic
      ? Math.log(Math.max(value, this.#low) / this.#low) / Math.log(this.#high / this.#low)
      : value / this.#high
    return Math.round((this.#from + share * (this.#to - this.#from)) * 10) / 10
  }

  #decades(): number[] {
    const ticks: number[] = []
    for (let tick = 10 ** Math.ceil(Math.log10(this.#low)); tick <= this.#high; tick *= 10) ticks.push(tick)
    return ticks
  }

  #rounds(): number[] {
    const rough = this.#high / TICKS
    const power = 10 ** Math.floor(Math.log10(rough))
    const step = [1, 2, 5, 10].map(times => times * power).find(each => each >= rough) ?? rough
    return Array.from({ length: Math.floor(this.#high / step + 1e-9) + 1 }, (_, i) => i * step)
  }
}

/** Makes text safe between tags and in attributes. */
export function escapeText(text: string): string {
  return text.replace(/[&<>"']/g, character => `&#${character.charCodeAt(0)};`)
}

/** The chart as a `<figure>`; empty text when there is nothing to draw. */
export function chart({ title, series, xText, yText, xLogarithmic, yLogarithmic, from }: Chart): string {
  const points = series.flatMap(({ points }) => points)
  if (points.length === 0) return ''
  const xs = points.map(([x]) => x)
  const ys = points.map(([, y]) => y)
  const across = new Scale(xs, xLogarithmic ?? false, 0, SIDE)
  const up = new Scale(ys, yLogarithmic ?? false, SIDE, TOP)
  const shade = from === undefined ? '' : `<path class="shade" d="M0 0H${across.place(from)}V${SIDE}H0Z"/>`
  const grid = up.ticks.map(tick => `M0 ${up.place(tick)}H${SIDE}`).join('')
  const lines = series.map(({ points }, i) => {
    const step = Math.ceil(points.length / POINTS_MAX)
    const shown = points.filter((_, at) => at % step === 0 || at === points.length - 1)
    return `<polyline class="line${i}" points="${shown.map(([x, y]) => `${across.place(x)},${up.place(y)}`).join(' ')}"/>`
  })
  const labels = [
    ...up.ticks.map(
      tick => `<span class="y" style="top:${up.place(tick)}%">${escapeText(yText(tick))}</span>`
    ),
    ...across.ticks.map(
      tick => `<span class="x" style="left:${across.place(tick)}%">${escapeText(xText(tick))}</span>`
    )
  ]
  const names = series.map(({ name }, i) => `<span class="key${i}">${escapeText(name)}</span>`).join(' ')
  const label = escapeText(title)
  const drawing = `<svg viewBox="0 0 ${SIDE} ${SIDE}" preserveAspectRatio="none" role="img" aria-label="${label}">${shade}<path class="grid" d="${grid}"/>${lines.join('')}</svg>`
  return `<figure><figcaption>${label} ${names}</figcaption><div class="plot">${drawing}${labels.join('')}</div></figure>`
}
