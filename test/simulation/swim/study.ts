// The whole study: which cohorts are made, what happens to them, and for how long.
import { swimPresets } from '../../../broker/swim/config.ts'
import { type Anomaly, measureAnomalies } from './anomalies.ts'
import { Cohort } from './cohort.ts'
import { type ConvergenceFigures, measureHealing, measureJoins } from './convergence.ts'
import { type CrashFigures, measureCrashes } from './crashes.ts'
import { type FalseDeathFigures, measureLoss } from './false-deaths.ts'
import { PARTS } from './parts.ts'
import { measureRest, type TrafficFigures } from './traffic.ts'

export interface StudyOptions {
  seed: number
  /** Sizes of clusters. */
  members: readonly number[]
  /** A tenth of everything: to see that it works. */
  quick: boolean
  /** Whether Lifeguard's experiment is part of it. */
  anomalies: boolean
  /** Told of each part as it is done. */
  progress: (line: string) => void
}

export interface LossFigures extends FalseDeathFigures {
  loss: number
  streamPing: boolean
}

export interface HealingFigures extends ConvergenceFigures {
  share: number
}

/** Of one size of cluster. */
export interface SizeFigures {
  members: number
  joins: ConvergenceFigures
  rest: TrafficFigures
  crashes: CrashFigures
  /** The same where wall clocks are hours apart. */
  crashesApart: CrashFigures
  losses: LossFigures[]
  healing: HealingFigures[]
}

export interface AnomalyFigures extends FalseDeathFigures {
  part: string
  kind: Anomaly
  silentMs: number
}

export interface Study {
  sizes: SizeFigures[]
  anomalies: AnomalyFigures[]
}

/** Members, and their share that stands still, in Lifeguard's experiment. */
export const ANOMALY_MEMBERS = 100
export const ANOMALY_SHARE = 0.1
export const ANOMALY_SOUND_MS = 2000
const ANOMALY_TOTAL_MS = 120_000
const SILENCES: readonly (readonly [Anomaly, number])[] = [
  ['stopped', 16_000],
  ['messages wait', 8000],
  ['messages wait', 16_000],
  ['messages wait', 32_000]
]

const HOUR_MS = 3_600_000
const REST_MS = 60_000
const CRASHES = 100
const SHARES_APART = [0.5, 0.1]
/** Above it, less of everything: what all do to all takes a million times as long as with one. */
const LARGE = 100
const LOSSES = [0.01, 0.05, 0.2]
/** Of each case of loss, and for the worst, which keeps everyone busy. */
const LOSS_NODE_HOURS = 50
const HEAVY_LOSS_NODE_HOURS = 10

export async function runStudy({ seed, members, quick, anomalies, progress }: StudyOptions): Promise<Study> {
  const scale = quick ? 0.1 : 1
  const done = stopwatch(progress)
  const sizes: SizeFigures[] = []
  for (const size of members) sizes.push(await studySize(seed, size, scale, done))
  return { sizes, anomalies: anomalies ? await studyAnomalies(seed, scale, done) : [] }
}

async function studySize(
  seed: number,
  members: number,
  scale: number,
  done: (what: string) => void
): Promise<SizeFigures> {
  const config = swimPresets.lan
  const cohort = new Cohort({ seed: `${seed}/${members}`, members, config })
  const of = (what: string): void => done(`${members} members: ${what}`)
  const isLarge = members > LARGE
  const crashes = Math.ceil((isLarge ? 0.4 : 1) * scale * CRASHES)

  const joins = await measureJoins(cohort)
  of('joins')
  await cohort.run(2 * REST_MS)
  const rest = await measureRest(cohort, REST_MS)
  of('rest')
  const figures = await measureCrashes(cohort, crashes)
  of('crashes')
  const losses: LossFigures[] = []
  for (const loss of LOSSES) {
    for (const streamPing of [true, false]) {
      if (loss > 0.1 && !streamPing && isLarge) continue
      const nodeHours = scale * (loss > 0.1 ? HEAVY_LOSS_NODE_HOURS : LOSS_NODE_HOURS)
      const ms = (nodeHours / members) * HOUR_MS
      losses.push({ loss, streamPing, ...(await measureLoss(cohort, loss, streamPing, ms)) })
      await cohort.run(REST_MS)
    }
  }
  of('loss')
  const healing: HealingFigures[] = []
  for (const share of isLarge ? SHARES_APART.slice(0, 1) : SHARES_APART) {
    healing.push({ share, ...(await measureHealing(cohort, share)) })
    await cohort.run(REST_MS)
  }
  of('partitions')
  const apart = await Cohort.formed({
    seed: `${seed}/${members}/apart`,
    members,
    config,
    clocksApartMs: HOUR_MS
  })
  const crashesApart = await measureCrashes(apart, crashes)
  of('crashes with clocks apart')
  return { members, joins, rest, crashes: figures, crashesApart, losses, healing }
}

async function studyAnomalies(
  seed: number,
  scale: number,
  done: (what: string) => void
): Promise<AnomalyFigures[]> {
  const all: AnomalyFigures[] = []
  for (const [kind, silentMs] of SILENCES) {
    for (const [part, config] of Object.entries(PARTS)) {
      const cohort = await Cohort.formed({ seed: `${seed}/anomalies`, members: ANOMALY_MEMBERS, config })
      const figures = await measureAnomalies(cohort, {
        kind,
        silentMs,
        share: ANOMALY_SHARE,
        soundMs: ANOMALY_SOUND_MS,
        totalMs: scale * ANOMALY_TOTAL_MS
      })
      all.push({ part, kind, silentMs, ...figures })
    }
    done(`anomalies: ${kind} for ${silentMs / 1000} s`)
  }
  return all
}

/** Says of each part how long it took to compute. */
function stopwatch(progress: (line: string) => void): (what: string) => void {
  let used = process.cpuUsage()
  return what => {
    const { user, system } = process.cpuUsage(used)
    used = process.cpuUsage()
    progress(`${what} (${((user + system) / 1e6).toFixed(1)} s of computation)`)
  }
}
