// `shoal status`: the cluster as one of its nodes sees it.
import type { BrokerStatus } from '../../broker/broker.ts'
import { flag, resolve } from '../../broker/options/index.ts'
import type { Arguments, Command, Terminal } from './command.ts'
import { Failure } from './failure.ts'
import { getJson, HTTP_URL_OPTION, isRecord } from './http.ts'
import { table } from './table.ts'

const OPTIONS = {
  url: HTTP_URL_OPTION,
  json: flag(false, 'Prints all there is to know, as JSON.')
} as const

export const status: Command = {
  name: 'status',
  summary: 'Shows members, their state, their part of the ring, and links.',
  positionals: [],
  options: OPTIONS,
  letters: {},
  examples: ['shoal status', 'shoal status --url http://127.0.0.1:8081 --json'],
  outlivesOutput: false,
  hidden: false,
  async run({ flags }: Arguments, terminal: Terminal): Promise<number> {
    const { url, json } = resolve(OPTIONS, [flags])
    const answer = await getJson(url, '/status')
    if (json) terminal.out(JSON.stringify(answer, null, 2))
    else for (const line of describe(readStatus(answer, url))) terminal.out(line)
    return 0
  }
}

/** The lines for people. */
export function describe(status: BrokerStatus): string[] {
  const links = new Map(status.links.map(link => [link.id, link]))
  const rows = status.members.map(member => {
    const link = links.get(member.id)
    return [
      member.self ? `${member.id} *` : member.id,
      member.state,
      member.phase,
      member.client ? '-' : `${(member.share * 100).toFixed(1)} %`,
      member.self ? 'itself' : (link?.state ?? 'none'),
      link === undefined ? '-' : bytes(link.bytesIn),
      link === undefined ? '-' : bytes(link.bytesOut),
      link === undefined ? '-' : bytes(link.buffered)
    ]
  })
  const { digest, nodes, agreed } = status.ring
  const ring = `ring ${digest} of ${count(nodes, 'node')}${agreed ? '' : ', changing'}`
  return [
    `${status.id} is ${status.ready ? 'ready' : 'not ready'}; ${ring}`,
    '',
    ...table(['member', 'state', 'phase', 'ring', 'link', 'received', 'sent', 'waiting'], rows),
    '',
    `${[count(status.clients, 'client'), count(status.subscriptions, 'subscription'), count(status.topics, 'topic')].join(', ')}, ${status.retained} retained`
  ]
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`
}

function bytes(number: number): string {
  if (number < 1024) return `${number} B`
  const units = ['KiB', 'MiB', 'GiB', 'TiB']
  let value = number / 1024
  while (value >= 1024 && units.length > 1) {
    value /= 1024
    units.shift()
  }
  return `${value.toFixed(1)} ${units[0]}`
}

/** A node of another version might answer otherwise: checks what `describe` needs. */
function readStatus(answer: unknown, url: string): BrokerStatus {
  const isStatus =
    isRecord(answer) &&
    typeof answer['id'] === 'string' &&
    isRecord(answer['ring']) &&
    [answer['members'], answer['links']].every(rows => Array.isArray(rows) && rows.every(isRecord))
  if (!isStatus) throw new Failure(`${url} answered, but not with the status of a Shoal node.`)
  return answer as unknown as BrokerStatus
}
