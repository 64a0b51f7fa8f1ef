// The failover cases as a program that prints their figures, as Markdown:
//
//   node dist/test/process/main.js [--case none|kill|pause|stop|join] [--rounds N] [--preset lan|local|wan]
import { cpus } from 'node:os'
import { parseArgs } from 'node:util'
import { findTool } from '../support/tools.ts'
import { type FailoverFigures, failover } from './failover.ts'
import { FAULTS, type FaultName } from './faults.ts'
import { withLifetime } from './lifetime.ts'
import { startBrowser } from './page.ts'

const { values } = parseArgs({
  options: {
    case: { type: 'string' },
    rounds: { type: 'string', default: '1' },
    preset: { type: 'string', default: 'lan' }
  }
})
const names = Object.keys(FAULTS) as FaultName[]
const faults = values.case === undefined ? names : names.filter(name => name === values.case)
const rounds = Number(values.rounds)

if (faults.length === 0) throw new Error(`--case is one of ${names.join(', ')}`)
if (!Number.isInteger(rounds) || rounds < 1) throw new Error('--rounds is an integer from 1 on')

const SUBSCRIBER_COLUMNS = [
  'case',
  'subscriber',
  'received',
  'lost',
  'duplicated',
  'reordered',
  'longest gap, ms',
  'of a topic, ms'
]
const PUBLISHER_COLUMNS = [
  'case',
  'topics moved',
  'settled, ms',
  'publisher',
  'published',
  'unacknowledged',
  'longest gap of acknowledgements, ms',
  'longest wait for one, ms'
]

const figures: FailoverFigures[] = []
for (let round = 1; round <= rounds; round++) {
  for (const fault of faults) {
    process.stderr.write(`${fault}, round ${round} of ${rounds}\n`)
    figures.push(await measure(fault))
  }
}
print(figures)
if (figures.some(isBad)) process.exitCode = 1

function measure(fault: FaultName): Promise<FailoverFigures> {
  return withLifetime(async scope => {
    const browser = findTool('chromium') === null ? null : await startBrowser(scope)
    return await failover(scope, { fault, browser, args: ['--preset', values.preset] })
  })
}

function isBad({ publishers, subscribers }: FailoverFigures): boolean {
  return (
    publishers.some(({ published, acknowledged }) => acknowledged < published) ||
    subscribers.some(each => each.lost + each.duplicated + each.reordered + each.interruptions > 0)
  )
}

function print(all: readonly FailoverFigures[]): void {
  console.log(
    `${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}, Node ${process.version}, preset ${values.preset}.`
  )
  console.log(
    '2,000 messages a second over 50 topics and 200 over 5, QoS 1, so that a topic has one every 25 ms.'
  )
  console.log(`Messages are those of ${rounds} round(s) together, times in ms are of each round.\n`)
  row(SUBSCRIBER_COLUMNS)
  row(SUBSCRIBER_COLUMNS.map(() => '---'))
  for (const fault of faults) {
    const subscribers = all.filter(each => each.fault === fault).flatMap(each => each.subscribers)
    for (const same of byName(subscribers)) {
      const counts = [
        sum(same, 'received'),
        sum(same, 'lost'),
        sum(same, 'duplicated'),
        sum(same, 'reordered')
      ]
      row([fault, same[0]!.name, ...counts, each(same, 'longestGapMs'), each(same, 'longestTopicGapMs')])
    }
  }
  console.log('')
  row(PUBLISHER_COLUMNS)
  row(PUBLISHER_COLUMNS.map(() => '---'))
  for (const fault of faults) {
    const rounds = all.filter(each => each.fault === fault)
    for (const same of byName(rounds.flatMap(round => round.publishers))) {
      const unacknowledged = sum(same, 'published') - sum(same, 'acknowledged')
      const times = [each(same, 'longestGapMs'), each(same, 'longestWaitMs')]
      const ring = [each(rounds, 'movedTopics'), each(rounds, 'settledMs')]
      row([fault, ...ring, same[0]!.name, sum(same, 'published'), unacknowledged, ...times])
    }
  }
  const complaints = all.flatMap(({ fault, complaints }) => complaints.map(text => `- ${fault}: ${text}`))
  if (complaints.length > 0) console.log(`\nWhat the nodes warned of:\n\n${complaints.join('\n')}`)
}

function byName<T extends { readonly name: string }>(all: readonly T[]): T[][] {
  const names = [...new Set(all.map(({ name }) => name))]
  return names.map(name => all.filter(one => one.name === name))
}

function sum<K extends string>(all: readonly Readonly<Record<K, number>>[], field: K): number {
  return all.reduce((total, one) => total + one[field], 0)
}

function each<K extends string>(all: readonly Readonly<Record<K, number>>[], field: K): string {
  return all.map(one => one[field]).join(', ')
}

function row(cells: readonly (string | number)[]): void {
  console.log(`| ${cells.join(' | ')} |`)
}
