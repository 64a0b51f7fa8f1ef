// A comparison as Markdown: one table a row, and in front the ratios to the first broker.
import { count, duration, memory } from '../report/figures.ts'
import type { Cell, ComparedRow, Comparison } from './compare.ts'

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map((_, i) => (i === 0 ? '---' : '---:'))), ...rows.map(line)].join('\n')
}

function ratio(value: number, base: number): string {
  if (value === 0 || base === 0) return '-'
  const times = value / base
  return `${times.toPrecision(times >= 100 ? 3 : 2)} ×`
}

function ratios(rows: readonly ComparedRow[]): string {
  const first = rows[0]?.cells[0]
  const others = rows[0]?.cells.slice(1) ?? []
  if (first === undefined || others.length === 0) return ''
  const head = others.flatMap(({ broker }) => [
    `deliveries/s, ${first.broker} : ${broker}`,
    `CPU, ${broker} : ${first.broker}`
  ])
  const body = rows.map(({ title, cells }) => [
    title,
    ...cells
      .slice(1)
      .flatMap(cell => [
        ratio(cells[0]!.deliveriesPerSecond, cell.deliveriesPerSecond),
        ratio(cell.cpuUsPerDelivery, cells[0]!.cpuUsPerDelivery)
      ])
  ])
  return `${table(['scenario (above 1, the first is better)', ...head], body)}\n\n`
}

/** Other processes that take more than this of a core are worth a note. */
const OTHERS_PERCENT_MAX = 15

function notes(cell: Cell): string[] {
  const found = [...cell.faults]
  if (cell.generatorWasTheLimit) found.push('generator was the limit')
  if (cell.othersCpuPercent > OTHERS_PERCENT_MAX)
    found.push(`others took ${cell.othersCpuPercent.toFixed(0)} % of a core`)
  return found
}

function cellRow(cell: Cell): string[] {
  return [
    cell.broker,
    count(cell.deliveriesPerSecond),
    cell.cpuUsPerDelivery.toPrecision(3),
    `${cell.brokerCpuPercent.toFixed(0)} %`,
    duration(cell.p50Us),
    duration(cell.p99Us),
    memory(cell.rssKib),
    notes(cell).join('; ')
  ]
}

/** The whole report. */
export function comparisonMarkdown(comparison: Comparison): string {
  const { machine } = comparison
  const head = ['broker', 'deliveries/s', 'CPU-µs per delivery', 'CPU', 'p50', 'p99', 'memory', 'notes']
  const versions = Object.entries(comparison.versions).map(([name, version]) => `${name} (${version})`)
  return [
    `# ${versions.join(', ')}\n\n`,
    `${comparison.date}, ${machine.cpu}, ${machine.cores} cores, ${machine.memoryGib} GiB, ${machine.kernel}, Node ${machine.node}. `,
    comparison.pinnedToCores
      ? 'All brokers on core 0, the generator on core 1. '
      : 'Broker and generator share the core. ',
    `CPU is of all broker processes, user and system. Medians of ${comparison.rows[0]?.cells[0]?.rounds ?? 0} rounds.\n\n`,
    `    ${comparison.command}\n\n`,
    ratios(comparison.rows),
    comparison.rows
      .map(({ title, cells }) => `## ${title}\n\n${table(head, cells.map(cellRow))}\n`)
      .join('\n')
  ].join('')
}
