// How long until all agree: after a thousand have joined by one at the same time, and after two sides that had
// declared each other dead can talk again.
import type { Cohort } from './cohort.ts'
import { type FalseDeathFigures, FalseDeaths } from './false-deaths.ts'
import { Traffic, type TrafficFigures } from './traffic.ts'

export interface ConvergenceFigures {
  /** Infinity if they did not agree in time. */
  ms: number
  traffic: TrafficFigures
  /** Of members that were declared dead meanwhile although all were within reach. */
  deaths: FalseDeathFigures
}

const WITHIN_MS = 300_000
/** How long two sides stay apart after each has forgotten the other. */
const APART_MS = 30_000

/** Members that know nobody join by the first one, all at once. */
export function measureJoins(cohort: Cohort): Promise<ConvergenceFigures> {
  const first = cohort.hosts[0]!.id
  for (const { swim } of cohort.hosts) swim.join([first]).catch(() => {})
  return convergence(cohort)
}

/** Parts a share of the members from the others until neither side knows a member of the other, and lets them meet again. */
export async function measureHealing(cohort: Cohort, share: number): Promise<ConvergenceFigures> {
  const small = Math.round(share * cohort.hosts.length)
  const sizeOf = (i: number): number => (i < small ? small : cohort.hosts.length - small)
  for (const { port } of cohort.hosts.slice(0, small)) port.side = 1
  const apart = (): boolean => cohort.hosts.every(({ swim }, i) => swim.size === sizeOf(i))
  await cohort.until(apart, WITHIN_MS)
  await cohort.run(APART_MS)
  for (const { port } of cohort.hosts) port.side = 0
  return convergence(cohort)
}

async function convergence(cohort: Cohort): Promise<ConvergenceFigures> {
  const traffic = new Traffic(cohort)
  const deaths = new FalseDeaths(cohort)
  const since = cohort.now
  const agreed = await cohort.until(() => cohort.agreed(), WITHIN_MS)
  return {
    ms: agreed ? cohort.now - since : Number.POSITIVE_INFINITY,
    traffic: traffic.figures(),
    deaths: deaths.figures()
  }
}
