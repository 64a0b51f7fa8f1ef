// Hosts are lost, without a word: how long until the first member suspects it, until the first is sure, and until
// all know. Lost ones come back as new processes, which tells how long a single join takes.
import assert from 'node:assert/strict'
import type { Cohort, Host } from './cohort.ts'
import { type Summary, summarize } from './summary.ts'

/** Times in ms from the crash, but for `spread` and `join`. */
export interface CrashFigures {
  /** Until the first member suspects it: SWIM's first detection. */
  suspected: Summary
  /** Until the first member has declared it dead: Lifeguard's first detection. */
  dead: Summary
  /** Until all have. */
  known: Summary
  /** From the first to the last: the dissemination. */
  spread: Summary
  /** From a single new process's join until all agree. */
  join: Summary
  /** What `suspected` and `spread` sum up, in ascending order. */
  suspectedMs: number[]
  spreadMs: number[]
}

interface Crash {
  at: number
  suspectedAt: number
  deadAt: number
  knownAt: number
  told: number
}

/** No crash can take longer to be known; see the formulas in broker/swim/config.ts. */
const KNOWN_WITHIN_MS = 300_000
const AGREED_WITHIN_MS = 120_000
const QUIET_MS = 10_000

/** At most a hundredth of the members at a time, each at a moment of its own. */
export async function measureCrashes(cohort: Cohort, crashes: number): Promise<CrashFigures> {
  const done: Crash[] = []
  const joins: number[] = []
  while (done.length < crashes) {
    const victims = some(cohort, Math.min(crashes - done.length, Math.ceil(cohort.hosts.length / 100)))
    done.push(...(await crash(cohort, victims)))
    for (const victim of victims) {
      cohort.start(victim)
      const startedAt = cohort.now
      victim.swim.join([cohort.living.find(host => host !== victim)!.id]).catch(() => {})
      assert(
        await cohort.until(() => cohort.agreed(), AGREED_WITHIN_MS),
        `${victim.id} is not known to all after it has joined`
      )
      joins.push(cohort.now - startedAt)
    }
    await cohort.run(QUIET_MS)
  }
  const times = (of: (crash: Crash) => number): number[] => done.map(of).sort((a, b) => a - b)
  const suspectedMs = times(each => each.suspectedAt - each.at)
  const spreadMs = times(each => each.knownAt - each.deadAt)
  return {
    suspected: summarize(suspectedMs),
    dead: summarize(times(each => each.deadAt - each.at)),
    known: summarize(times(each => each.knownAt - each.at)),
    spread: summarize(spreadMs),
    join: summarize(joins),
    suspectedMs,
    spreadMs
  }
}

async function crash(cohort: Cohort, victims: readonly Host[]): Promise<Crash[]> {
  const crashes = new Map<string, Crash>()
  const survivors = cohort.living.length - victims.length
  let unknown = victims.length
  cohort.onTold = (by, member, change) => {
    const crash = crashes.get(member.id)
    if (crash === undefined || !by.process.alive) return
    if (change === 'suspected') crash.suspectedAt = Math.min(crash.suspectedAt, cohort.now)
    if (change !== 'died') return
    crash.deadAt = Math.min(crash.deadAt, cohort.now)
    crash.told++
    if (crash.told < survivors) return
    crash.knownAt = cohort.now
    unknown--
  }
  for (const victim of victims) {
    cohort.after(cohort.random.between(0, 1000), () => {
      cohort.crash(victim)
      const never = Number.POSITIVE_INFINITY
      crashes.set(victim.id, { at: cohort.now, suspectedAt: never, deadAt: never, knownAt: never, told: 0 })
    })
  }
  assert(await cohort.until(() => unknown === 0, KNOWN_WITHIN_MS), 'a crash is not known to all')
  cohort.onTold = () => {}
  return [...crashes.values()]
}

function some(cohort: Cohort, count: number): Host[] {
  const chosen = new Set<Host>()
  while (chosen.size < count) chosen.add(cohort.random.pick(cohort.living))
  return [...chosen]
}
