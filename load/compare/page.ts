// A comparison as one self-contained page: for each scenario and figure, a bar a broker. Each group of bars
// has a scale of its own, since what counts is the ratio within it.
import { escapeText } from '../report/chart.ts'
import { page } from '../report/page.ts'
import type { ComparedRow, Comparison } from './compare.ts'
import { FIGURES, type FigureKind, type FigureName } from './figures.ts'
import type { Cell } from './outcome.ts'
import { circumstances, compared, contenders, notesOf } from './tables.ts'

const STYLE = `
.bars { display: grid; grid-template-columns: max-content 1fr; gap: .25rem .75rem; align-items: center; margin: .5rem 0 }
.bar { display: flex; align-items: center; gap: .5rem; min-width: 0 }
.bar i { height: 1.1rem; min-width: 2px; flex: none; max-width: 60%; border-radius: 2px; background: var(--quiet) }
.first .bar i { background: var(--one) } .first { font-weight: 600 }
.bars > div { display: contents }
.bar span { font-variant-numeric: tabular-nums; font-size: .9rem }
h2 { font-size: 1.1rem; margin: 2rem 0 0 }
`

/** Bars take this part of the width at most; the rest is for the figure. */
const WIDEST_PERCENT = 60

function bars(name: FigureName, cells: readonly Cell[], first: string): string {
  const { title, better }: FigureKind = FIGURES[name]
  const most = Math.max(...cells.map(cell => cell.figures[name] ?? 0))
  const rows = cells.map(cell => {
    const share = most > 0 ? ((cell.figures[name] ?? 0) / most) * WIDEST_PERCENT : 0
    const text = escapeText(
      compared(
        name,
        cell,
        cells.find(({ broker }) => broker === first)
      )
    )
    return `<div${cell.broker === first ? ' class="first"' : ''}><span>${escapeText(cell.broker)}</span><div class="bar"><i style="width:${share.toFixed(1)}%"></i><span>${text}</span></div></div>`
  })
  const direction = better === undefined ? '' : `, ${better} is better`
  return `<figure><figcaption>${escapeText(title)}${direction}</figcaption><div class="bars">${rows.join('')}</div></figure>`
}

function section({ title, by, cells }: ComparedRow, first: string): string {
  const notes = cells.flatMap(cell => notesOf(cell).map(note => `${cell.broker}: ${note}`))
  const shown = notes.map(note => `<p class="bad">${escapeText(note)}</p>`).join('')
  return `<section><h2>${escapeText(title)}</h2>${by.map(name => bars(name, cells, first)).join('')}${shown}</section>`
}

/** The page. */
export function comparisonPage(comparison: Comparison): string {
  const first = Object.keys(comparison.versions)[0] ?? ''
  return page(
    contenders(comparison),
    STYLE,
    `<p>${escapeText(circumstances(comparison))}</p>
<p>In brackets: how much better ${escapeText(first)} is; below 1 it is worse.</p>
${comparison.rows.map(row => section(row, first)).join('\n')}
<p><code>${escapeText(comparison.command)}</code></p>`
  )
}
