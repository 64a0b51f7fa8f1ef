// Line charts as SVG text: no script, no library, colours from the page's style sheet, so that a report
// is one file that any browser shows, on a phone and in the dark.

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
}

const WIDTH = 640
const HEIGHT = 240
const LEFT = 70
const RIGHT = 12
const TOP = 12
const BOTTOM = 26
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
export function chart({ title, series, xText, yText, xLogarithmic, yLogarithmic }: Chart): string {
  const points = series.flatMap(({ points }) => points)
  if (points.length === 0) return ''
  const xs = points.map(([x]) => x)
  const ys = points.map(([, y]) => y)
  const across = new Scale(xs, xLogarithmic ?? false, LEFT, WIDTH - RIGHT)
  const up = new Scale(ys, yLogarithmic ?? false, HEIGHT - BOTTOM, TOP)
  const grid = [
    ...up.ticks.map(tick => {
      const y = up.place(tick)
      return `<path class="grid" d="M${LEFT} ${y}H${WIDTH - RIGHT}"/><text x="${LEFT - 6}" y="${y + 4}" text-anchor="end">${escapeText(yText(tick))}</text>`
    }),
    ...across.ticks.map(
      tick =>
        `<text x="${across.place(tick)}" y="${HEIGHT - 8}" text-anchor="middle">${escapeText(xText(tick))}</text>`
    )
  ]
  const lines = series.map(({ points }, i) => {
    const step = Math.ceil(points.length / POINTS_MAX)
    const shown = points.filter((_, at) => at % step === 0 || at === points.length - 1)
    return `<polyline class="line${i}" points="${shown.map(([x, y]) => `${across.place(x)},${up.place(y)}`).join(' ')}"/>`
  })
  const names = series.map(({ name }, i) => `<span class="key${i}">${escapeText(name)}</span>`).join(' ')
  const label = escapeText(title)
  return `<figure><figcaption>${label} ${names}</figcaption><svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${label}">${grid.join('')}${lines.join('')}</svg></figure>`
}
