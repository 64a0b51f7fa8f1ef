// What all report pages have in common: one file that loads nothing and runs nothing, and is readable on a
// phone and in the dark.
import type { Machine } from '../machine.ts'
import { escapeText } from './chart.ts'

const STYLE = `
:root { color-scheme: light dark; --ink: #1c2733; --page: #fff; --quiet: #66758a; --grid: #dfe5ec; --one: #0b72c4; --two: #d1620f; --good: #17803d; --bad: #c02626 }
@media (prefers-color-scheme: dark) { :root { --ink: #e4eaf1; --page: #11161c; --quiet: #93a1b3; --grid: #2b3541; --one: #58b0f5; --two: #f39a51; --good: #58c98a; --bad: #ff7b72 } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--page); max-width: 44rem; margin: 0 auto; padding: 1rem }
h1 { font-size: 1.4rem; margin: 0 } p, figcaption { color: var(--quiet); margin: .25rem 0 }
figure { margin: 1.5rem 0 } code { overflow-wrap: anywhere }
.good { color: var(--good) } .bad { color: var(--bad) }
`

/** A whole page. `style` and `body` are CSS and HTML; `title` is text. */
export function page(title: string, style: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeText(title)}</title>
<style>${STYLE}${style}</style>
<h1>${escapeText(title)}</h1>
${body}
</html>
`
}

/** How to get a result again, and where and when it was got. */
export function placeOf({
  command,
  machine,
  date
}: {
  command: string
  machine: Machine
  date: string
}): string {
  const place = `${machine.cpu}, ${machine.cores} cores, ${machine.kernel}, Node ${machine.node}, ${date}`
  return `<p><code>${escapeText(command)}</code></p>\n<p>${escapeText(place)}</p>`
}
