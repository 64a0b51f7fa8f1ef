// The study as plots on one self-contained page.
import { chart, escapeText, type Series } from '../../../load/report/chart.ts'
import { page } from '../../../load/report/page.ts'
import { PARTS_STYLE } from '../../../load/report/parts.ts'
import { aims } from './aims.ts'
import { count, percent, seconds } from './figures.ts'
import type { Circumstances } from './markdown.ts'
import type { AnomalyFigures, Study } from './study.ts'

const STYLE = `${PARTS_STYLE}
.line2 { stroke: var(--good) } .line3 { stroke: var(--bad) } .key2 { color: var(--good) } .key3 { color: var(--bad) }
.bars { display: grid; grid-template-columns: max-content 1fr; gap: .25rem .75rem; align-items: center; margin: .5rem 0 }
.bars i { display: inline-block; height: 1rem; min-width: 2px; background: var(--one); border-radius: 2px; vertical-align: middle; margin-right: .5rem }
h2 { font-size: 1.1rem; margin: 2rem 0 0 }
`

/** Bars take this part of the width at most; the rest is for the figure. */
const WIDEST_PERCENT = 70

export function studyPage(study: Study, { date, command, machine }: Circumstances): string {
  const verdicts = aims(study).map(
    ({ aim, measured, met }) =>
      `<p class="${met ? 'good' : 'bad'}">${escapeText(`${aim}: ${met ? 'met' : 'missed'}. ${measured}`)}</p>`
  )
  return page(
    'SWIM at scale',
    STYLE,
    `<p>${escapeText(`${date}, virtual time, ${machine}`)}</p>
${verdicts.join('')}
${detection(study)}
${load(study)}
${lifeguard(study.anomalies)}
<p><code>${escapeText(command)}</code></p>`
  )
}

function detection({ sizes }: Study): string {
  const shares = (name: string, values: readonly number[]): Series => ({
    name,
    points: values.map((value, i) => [value, (100 * (i + 1)) / values.length] as const)
  })
  const inSeconds = (ms: number): string => `${seconds(ms)} s`
  const inPercent = (share: number): string => `${share} %`
  return [
    chart({
      title: 'Crashes suspected within a time',
      series: sizes.map(({ members, crashes }) => shares(`${members} members`, crashes.suspectedMs)),
      xText: inSeconds,
      yText: inPercent
    }),
    chart({
      title: 'The same with wall clocks apart, so that targets are random',
      series: sizes.map(({ members, crashesApart }) =>
        shares(`${members} members`, crashesApart.suspectedMs)
      ),
      xText: inSeconds,
      yText: inPercent
    }),
    chart({
      title: 'Verdicts known to all within a time, from the first member to the last',
      series: sizes.map(({ members, crashes }) => shares(`${members} members`, crashes.spreadMs)),
      xText: ms => `${count(ms)} ms`,
      yText: inPercent
    })
  ].join('')
}

function load({ sizes }: Study): string {
  const over = (name: string, of: (size: Study['sizes'][number]) => number): Series => ({
    name,
    points: sizes.map(size => [size.members, of(size)] as const)
  })
  return chart({
    title: 'Bytes that a member sends at rest, a second, by members of the cluster',
    series: [
      over('mean', ({ rest }) => rest.bytes.mean),
      over('busiest member', ({ rest }) => rest.bytes.max)
    ],
    xText: count,
    yText: count,
    xLogarithmic: true
  })
}

function lifeguard(anomalies: readonly AnomalyFigures[]): string {
  const cases = new Map<string, AnomalyFigures[]>()
  for (const each of anomalies) {
    const name = `${each.kind}, ${seconds(each.silentMs)} s`
    cases.set(name, [...(cases.get(name) ?? []), each])
  }
  return [...cases].map(([name, rows]) => bars(name, rows)).join('')
}

function bars(name: string, rows: readonly AnomalyFigures[]): string {
  const most = Math.max(...rows.map(row => row.toldHealthy))
  if (most === 0)
    return `<h2>${escapeText(name)}</h2><p>No false positive at a healthy member, with or without Lifeguard.</p>`
  const shown = rows.map(({ part, toldHealthy }) => {
    const share = toldHealthy / most
    return `<span>${escapeText(part)}</span><span><i style="width:${(share * WIDEST_PERCENT).toFixed(1)}%"></i>${count(toldHealthy)} (${percent(share)})</span>`
  })
  return `<h2>${escapeText(name)}</h2><figure><figcaption>False positives at healthy members, fewer is better</figcaption><div class="bars">${shown.join('')}</div></figure>`
}
