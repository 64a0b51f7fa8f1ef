// The figures of a comparison of links, as Markdown: one table for requests, one for bytes.
import type { Machine } from '../machine.ts'
import { count } from '../report/figures.ts'
import { CONTENDERS, type ContenderName } from './contenders.ts'

/** Of requests, or of bytes. */
export interface Figures {
  perSecond: number
  /** CPU-µs of each of the two processes, for one request or one byte. */
  serverUs: number
  clientUs: number
}

export interface Measured extends Figures {
  name: ContenderName
  task: 'requests' | 'bytes'
}

export interface Circumstances {
  date: string
  machine: Machine
  command: string
  inflight: number
  rounds: number
  seconds: number
}

const BYTES_PER_MB = 1e6

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map((_, i) => (i === 0 ? '---' : '---:'))), ...rows.map(line)].join('\n')
}

function cpuUs({ serverUs, clientUs }: Figures): number {
  return serverUs + clientUs
}

function tableOf(all: readonly Measured[], task: Measured['task']): string {
  const found = all.filter(each => each.task === task)
  const unit = task === 'bytes' ? BYTES_PER_MB : 1
  const what = task === 'bytes' ? 'MB' : 'request'
  const head = [
    '',
    `${what === 'MB' ? 'MB' : 'requests'}/s`,
    `CPU-µs a ${what}`,
    'server',
    'client',
    'CPU × the first'
  ]
  const rows = found.map(each => [
    CONTENDERS[each.name].title,
    count(each.perSecond / unit),
    (cpuUs(each) * unit).toPrecision(3),
    (each.serverUs * unit).toPrecision(3),
    (each.clientUs * unit).toPrecision(3),
    (cpuUs(each) / cpuUs(found[0]!)).toPrecision(2)
  ])
  return table(head, rows)
}

export function linksMarkdown(measured: readonly Measured[], { machine, ...run }: Circumstances): string {
  return [
    '# Links: requests and bytes over one connection\n',
    `${run.date}, ${machine.cpu}, ${machine.cores} cores, ${machine.memoryGib} GiB, ${machine.kernel}, Node ${machine.node}.`,
    'Two processes on one machine, over TCP on loopback; CPU is of both, user and system.',
    `Medians of ${run.rounds} rounds of ${run.seconds} s, the contenders in turn.\n`,
    `    ${run.command}\n`,
    `## Round trips: ${run.inflight} requests in flight, a message of 90 bytes there and back\n`,
    `${tableOf(measured, 'requests')}\n`,
    '## A stream of bytes: chunks of 64 KiB, from the server to the client\n',
    `${tableOf(measured, 'bytes')}\n`
  ].join('\n')
}
