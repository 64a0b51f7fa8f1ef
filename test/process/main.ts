// The failover cases as a program that prints their figures, as Markdown:
//
//   node dist/test/process/main.js [--case kill|pause|stop|join] [--rounds N] [--preset lan|local|wan]
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
    `${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}, Node ${process.version}, preset ${values.preset}`
  )
  console.log(
    `2,000 messages a second over 50 topics and 200 over 5, QoS 1, ${rounds} round(s) of each case\n`
  )
  row(SUBSCRIBER_COLUMNS)
  row(SUBSCRIBER_COLUMNS.map(() => '---'))
  for (const { fault, subscribers } of all) {
    for (const each of subscribers) {
      const { received, lost, duplicated, reordered, longestGapMs, longestTopicGapMs } = each
      row([fault, each.name, received, lost, duplicated, reordered, longestGapMs, longestTopicGapMs])
    }
  }
  console.log('')
  row(PUBLISHER_COLUMNS)
  row(PUBLISHER_COLUMNS.map(() => '---'))
  for (const { fault, movedTopics, settledMs, publishers } of all) {
    for (const { name, published, acknowledged, longestGapMs, longestWaitMs } of publishers) {
      const unacknowledged = published - acknowledged
      row([fault, movedTopics, settledMs, name, published, unacknowledged, longestGapMs, longestWaitMs])
    }
  }
  const complaints = all.flatMap(each => each.complaints.map(text => `- ${each.fault}: ${text}`))
  if (complaints.length > 0) console.log(`\nWhat the nodes warned of:\n\n${complaints.join('\n')}`)
}

function row(cells: readonly (string | number)[]): void {
  console.log(`| ${cells.join(' | ')} |`)
}
