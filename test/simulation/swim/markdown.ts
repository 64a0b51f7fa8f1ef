// The study as tables, beside what the papers and memberlist say. Numbers of others are formulas of theirs, or cited.
import { swimPresets } from '../../../broker/swim/config.ts'
import { retransmitLimit } from '../../../broker/swim/gossip.ts'
import { suspicionMinMs } from '../../../broker/swim/suspicion.ts'
import { aims } from './aims.ts'
import { count, percent, perHour, seconds } from './figures.ts'
import { ANOMALY_MEMBERS, ANOMALY_SHARE, ANOMALY_SOUND_MS, type AnomalyFigures, type Study } from './study.ts'

export interface Circumstances {
  date: string
  command: string
  machine: string
}

const { lan } = swimPresets

export function markdownReport(study: Study, { date, command, machine }: Circumstances): string {
  return `# SWIM at scale

${date}, on virtual time (${machine}).

    ${command}

Members of nothing but \`broker/swim\`, preset \`lan\`, on one virtual clock. One way takes 0.2 to 1 ms. A crash is the loss of a host:
silence, and no link that breaks. Times are virtual; the same seed gives the same figures.

## Aims

${table(
  ['aim', 'measured', ''],
  aims(study).map(aim => [aim.aim, aim.measured, aim.met ? 'met' : '**missed**'])
)}
${detection(study)}
${load(study)}
${losses(study)}
${lifeguard(study.anomalies)}
${convergence(study)}
${others()}`
}

function detection({ sizes }: Study): string {
  const rows = sizes.flatMap(({ members, crashes, crashesApart }) =>
    (
      [
        ['', crashes],
        [', clocks apart', crashesApart]
      ] as const
    ).map(([clocks, figures]) => [
      `${members}${clocks}`,
      count(figures.suspected.count),
      ...(['suspected', 'dead', 'known'] as const).flatMap(name => [
        seconds(figures[name].mean),
        seconds(figures[name].median),
        seconds(figures[name].p99)
      ]),
      count(Math.round(figures.spread.median)),
      count(Math.round(figures.spread.p99))
    ])
  )
  const head = ['members', 'crashes']
  for (const what of ['suspected', 'declared dead', 'known to all'])
    head.push(`${what}: mean`, 'median', 'p99')
  return `## From a crash until it is suspected, declared dead, and known to all

Seconds; the probe interval is ${seconds(lan.probeIntervalMs)}. *Spread* is the time from the first member's verdict to the last one's, in milliseconds.
*Clocks apart*: the members' wall clocks differ by up to an hour either way, so that targets of probes are as good as random.
The p99 of fewer than a hundred crashes is the slowest one.

${table([...head, 'spread, ms: median', 'p99'], rows)}`
}

function load({ sizes }: Study): string {
  const rows = sizes.map(({ members, rest }) => [
    count(members),
    count(rest.packets.mean),
    count(rest.packets.max),
    count(rest.bytes.mean),
    count(rest.bytes.max),
    count(rest.streamBytes.mean)
  ])
  return `## What a member sends at rest

A second. No packet in the whole study was longer than 1,400 bytes: the network of the study asserts it.

${table(['members', 'packets: mean', 'busiest member', 'bytes: mean', 'busiest member', 'bytes of full states'], rows)}`
}

function losses({ sizes }: Study): string {
  const rows = sizes.flatMap(({ members, losses }) =>
    losses.map(each => [
      count(members),
      percent(each.loss),
      each.streamPing ? 'yes' : 'no',
      count(each.nodeHours),
      perHour(each.suspicions, each.nodeHours),
      count(each.deaths),
      perHour(each.deaths, each.nodeHours)
    ])
  )
  return `## False positives under loss

*Pings over links*: whether a probe without an answer is tried over the link as well. Loss delays a link, and drops a datagram.
A false positive is a verdict of death on a member that lives, whoever gives it.

${table(
  [
    'members',
    'loss',
    'pings over links',
    'node-hours',
    'suspicions a node-hour',
    'false positives',
    'a node-hour'
  ],
  rows
)}`
}

function lifeguard(anomalies: readonly AnomalyFigures[]): string {
  const base = (row: AnomalyFigures): AnomalyFigures =>
    anomalies.find(each => each.part === 'SWIM' && each.kind === row.kind && each.silentMs === row.silentMs)!
  const share = (part: number, whole: number): string => (whole === 0 ? '' : percent(part / whole))
  const rows = anomalies.map(each => [
    `${each.kind}, ${seconds(each.silentMs)} s`,
    each.part,
    count(each.suspicions),
    count(each.told),
    share(each.told, base(each).told),
    count(each.toldHealthy),
    share(each.toldHealthy, base(each).toldHealthy),
    count(each.toldHealthy / each.nodeHours)
  ])
  return `## Lifeguard's experiment

${ANOMALY_MEMBERS} members for two minutes; ${percent(ANOMALY_SHARE)} of them, always the same, stand still together for so many seconds, then run for
${seconds(ANOMALY_SOUND_MS)}. *Stopped*: the process (SIGSTOP). *Messages wait*: nothing is sent or received, but timers run, as in the paper (section V). FP counts
every member that is told of the death of a healthy one; FP- only healthy members that are. *As shipped* is Lifeguard and the rule that a timer that
fires late is no evidence. The others are the same code with parts of it off (\`awarenessMax: 1\`, \`suspicionMaxMultiplier: 1\`, \`buddySystem: false\`,
\`stallMs: Infinity\`).

${table(['anomaly', 'configuration', 'suspicions', 'FP', 'of SWIM', 'FP-', 'of SWIM', 'FP- a node-hour'], rows)}`
}

function convergence({ sizes }: Study): string {
  const rows = sizes.flatMap(({ members, joins, crashes, healing }) => [
    [`${members} join by one at once`, seconds(joins.ms), ...traffic(joins), count(joins.deaths.deaths)],
    [
      `one joins ${members - 1}`,
      `${seconds(crashes.join.median)} (p99 ${seconds(crashes.join.p99)})`,
      '',
      '',
      ''
    ],
    ...healing.map(each => [
      `${members}: ${percent(each.share)} come back`,
      seconds(each.ms),
      ...traffic(each),
      count(each.deaths.deaths)
    ])
  ])
  return `## Until all agree

Seconds, and what a member sent on average in that time, in KiB. The two sides of a partition had declared each other dead, and had been apart for half a
minute more.

${table(['what', 'until all agree', 'datagrams, KiB', 'full states, KiB', 'false positives'], rows)}`
}

function traffic({ ms, traffic }: Study['sizes'][number]['joins']): string[] {
  const kib = (perSecond: number): string => count((perSecond * ms) / 1000 / 1024)
  return [kib(traffic.bytes.mean), kib(traffic.streamBytes.mean)]
}

function others(): string {
  const rows = [10, 100, 1000].map(members => {
    const minMs = suspicionMinMs(lan.suspicionMultiplier, members, lan.probeIntervalMs)
    return [
      count(members),
      seconds((lan.probeIntervalMs * Math.E) / (Math.E - 1)),
      seconds(minMs),
      seconds(lan.suspicionMaxMultiplier * minMs),
      count(retransmitLimit(lan.retransmitMultiplier, members))
    ]
  })
  return `## Beside the papers and memberlist

What follows from their formulas for memberlist's LAN defaults, which the preset \`lan\` shares: ProbeInterval 1 s, ProbeTimeout 500 ms, IndirectChecks 3,
SuspicionMult 4, SuspicionMaxTimeoutMult 6, AwarenessMaxMultiplier 8, RetransmitMult 4, GossipNodes 3, GossipInterval 200 ms (\`config.go\`,
\`DefaultLANConfig\`).

${table(
  [
    'members',
    'first detection, mean (SWIM: e/(e-1) intervals)',
    'trial, least',
    'trial, one accuser',
    'sendings of a rumour a member'
  ],
  rows
)}
The papers were not at hand when this was written: what is said of them here comes from summaries of them.

- **First detection.** SWIM (DSN 2002) expects e/(e-1), 1.58, periods, since a member is not probed at all in 1/e of them, counted in whole periods. Here each
  is probed in each interval as long as clocks agree: the mean is the same on a clock that counts from the crash, and the tail is gone. With clocks apart
  targets are as good as random, and the tail is back. So it was with the order that this one replaced, shuffled anew for each round as in SWIM and
  memberlist; mean, median and p99 of cohorts of the same sizes, in seconds: 10 members 1.94, 1.59, 5.09; 100 members 2.03, 1.66, 5.96; 1,000 members
  2.12, 1.99, 6.17.
- **Load.** SWIM: constant for each member, whatever their number. Here one ping and one ack an interval. memberlist exchanges full states every 30 s as
  well (less often in large clusters); here that is spared while acks say that views agree. It would be 69 bytes a member both ways.
- **Spread.** SWIM and memberlist send rumours with their probes and on a beat of 200 ms; here the first half of a rumour's sendings does not wait for the
  beat, hence milliseconds.
- **False positives.** Lifeguard (arXiv:1707.00788, section V) reports 50 to 100 times fewer with all of its parts than without; at healthy members 1.9 % of
  SWIM's (table IV). Here too LHA-Suspicion does most, LHA-Probe much, the buddy system alone little, and all together nearly everything. Its experiment
  was made with real processes; members, lengths and counts of anomalies differ, so only the shares can be compared.
`
}

/** Columns of numbers are aligned at the right. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |\n`
  const isNumber = (column: number): boolean => rows.every(row => /^[\d., %]*$/.test(row[column]!))
  return line(head) + line(head.map((_, i) => (isNumber(i) ? '---:' : '---'))) + rows.map(line).join('')
}
