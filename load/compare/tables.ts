// A comparison as Markdown: in front how the brokers compare with the first one, then a table a row.
import { caveatsOf } from '../caveats.ts'
import type { ComparedRow, Comparison } from './compare.ts'
import { advantage, FIGURES, type FigureName, figureText } from './figures.ts'
import type { Cell } from './outcome.ts'

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map((_, i) => (i === 0 ? '---' : '---:'))), ...rows.map(line)].join('\n')
}

/** A figure, and how much better the first broker's is, where both have it. */
export function compared(name: FigureName, cell: Cell | undefined, first: Cell | undefined): string {
  const value = cell?.figures[name]
  const base = first?.figures[name]
  const times = value === undefined || base === undefined ? undefined : advantage(name, base, value)
  if (cell === first || times === undefined) return figureText(name, value)
  return `${figureText(name, value)} (${times.toPrecision(times >= 100 ? 3 : 2)} ×)`
}

/** What is wrong with a cell's figures, or was in their way. */
export function notesOf(cell: Cell): string[] {
  return [...cell.faults, ...caveatsOf(cell).map(({ what }) => what)]
}

/** Where and how it was measured, as one sentence after the other. */
export function circumstances({ date, machine, pinnedToCores, rounds }: Comparison): string {
  return [
    `${date}, ${machine.cpu}, ${machine.cores} cores, ${machine.memoryGib} GiB, ${machine.kernel}, Node ${machine.node}.`,
    pinnedToCores
      ? 'Each broker on core 0 alone, the generator on the others.'
      : 'Broker and generator share the cores.',
    `CPU is of all broker processes, user and system. Medians of ${rounds} rounds; of the quiet ones, where some were not.`
  ].join(' ')
}

/** `shoal (this tree), mosquitto (2.0.11)` */
export function contenders({ versions }: Comparison): string {
  return Object.entries(versions)
    .map(([name, version]) => `${name} (${version})`)
    .join(', ')
}

function overview({ versions, rows }: Comparison): string {
  const [first, ...others] = Object.keys(versions)
  if (others.length === 0) return ''
  const head = ['scenario', 'figure', first!, ...others]
  const body = rows.flatMap(({ title, by, cells }) => {
    const cellOf = (broker: string) => cells.find(cell => cell.broker === broker)
    return by.map(name => [
      title,
      FIGURES[name].title,
      ...head.slice(2).map(broker => compared(name, cellOf(broker), cellOf(first!)))
    ])
  })
  const means = `In brackets: how much better ${first} is; below 1 it is worse.`
  return `${means}\n\n${table(head, body)}\n\n`
}

function rowTable({ title, cells }: ComparedRow): string {
  const names = (Object.keys(FIGURES) as FigureName[]).filter(name =>
    cells.some(cell => cell.figures[name] !== undefined)
  )
  const head = ['broker', ...names.map(name => FIGURES[name].title), 'notes']
  const body = cells.map(cell => [
    cell.broker,
    ...names.map(name => figureText(name, cell.figures[name])),
    notesOf(cell).join('; ')
  ])
  return `## ${title}\n\n${table(head, body)}\n`
}

/** The whole report. */
export function comparisonMarkdown(comparison: Comparison): string {
  return [
    `# ${contenders(comparison)}\n\n`,
    `${circumstances(comparison)}\n\n`,
    `    ${comparison.command}\n\n`,
    overview(comparison),
    comparison.rows.map(rowTable).join('\n')
  ].join('')
}
