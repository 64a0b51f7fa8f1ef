// The study of SWIM at scale, in short: its aims, at sizes that take seconds.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { swimPresets } from '../../../broker/swim/config.ts'
import { aims } from './aims.ts'
import { measureAnomalies } from './anomalies.ts'
import { Cohort } from './cohort.ts'
import { measureCrashes } from './crashes.ts'
import { markdownReport } from './markdown.ts'
import { studyPage } from './page.ts'
import { PARTS } from './parts.ts'
import { runStudy, type Study } from './study.ts'

const SEED = 7
const { lan } = swimPresets

/** What a study has beside figures of sizes. */
async function quickStudy(members: readonly number[]): Promise<Study> {
  return runStudy({ seed: SEED, members, quick: true, anomalies: false, progress: () => {} })
}

test(`10 and 30 members meet the aims: flat load, detection, no false positive, healing (seed ${SEED})`, async () => {
  const study = await quickStudy([10, 30])
  for (const { aim, measured, met } of aims(study)) assert.ok(met, `${aim}: ${measured}`)
  const circumstances = { date: '2026-01-01', command: 'a <test>', machine: 'none' }
  assert.match(markdownReport(study, circumstances), /\| 30 \| 2 \| 2/)
  const html = studyPage(study, circumstances)
  assert.match(html, /a &#60;test&#62;/)
  assert.doesNotMatch(html, /NaN|undefined|<script/)
})

test(`a crash is suspected within 3 intervals at most where clocks agree, and later where they do not (seed ${SEED})`, async () => {
  const of = async (clocksApartMs: number) =>
    measureCrashes(await Cohort.formed({ seed: SEED, members: 30, config: lan, clocksApartMs }), 40)
  const together = await of(0)
  const apart = await of(3_600_000)
  assert.ok(together.suspected.max <= 3 * lan.probeIntervalMs + 1, `${together.suspected.max} ms`)
  assert.ok(apart.suspected.p99 > together.suspected.p99, `${apart.suspected.p99} ms`)
})

test(`members whose messages wait take healthy ones for dead without Lifeguard, and not with it (seed ${SEED})`, async () => {
  const deaths = async (part: string): Promise<number> => {
    const cohort = await Cohort.formed({ seed: SEED, members: 40, config: PARTS[part]! })
    const options = {
      kind: 'messages wait',
      share: 0.1,
      silentMs: 16_000,
      soundMs: 2000,
      totalMs: 36_000
    } as const
    return (await measureAnomalies(cohort, options)).toldHealthy
  }
  const [swim, probe, suspicion] = [
    await deaths('SWIM'),
    await deaths('LHA-Probe'),
    await deaths('LHA-Suspicion')
  ]
  assert.ok(swim > 100, `${swim} false positives without any part`)
  assert.ok(probe < swim / 2, `${probe} with LHA-Probe`)
  assert.ok(suspicion < swim / 2, `${suspicion} with LHA-Suspicion`)
  assert.equal(await deaths('as shipped'), 0)
})

test('the same seed gives the same figures', async () => {
  const [first, second] = [await quickStudy([10]), await quickStudy([10])]
  assert.deepEqual(first, second)
})
