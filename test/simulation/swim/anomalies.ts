// Lifeguard's experiment: some members stand still again and again, all at the same time. Two kinds of standing
// still: the process is stopped (SIGSTOP), and when it goes on, it runs the timers that were due before it reads the
// messages that came, as Node does; or it is only its messages that wait, while its timers run on and blame the
// others for the silence.
// Source: Lifeguard (arXiv:1707.00788), section V.
import type { Cohort, Host } from './cohort.ts'
import { type FalseDeathFigures, FalseDeaths } from './false-deaths.ts'

/** In which all timers that were due have their turn. */
const TIMERS_MS = 1

export type Anomaly = 'stopped' | 'messages wait'

export interface AnomalyOptions {
  kind: Anomaly
  /** Share of the members that it happens to, always the same ones. */
  share: number
  silentMs: number
  /** Between two silences. */
  soundMs: number
  totalMs: number
}

export async function measureAnomalies(cohort: Cohort, options: AnomalyOptions): Promise<FalseDeathFigures> {
  const { kind, share, silentMs, soundMs, totalMs } = options
  const step = Math.round(1 / share)
  const chosen = cohort.hosts.filter((_, i) => i % step === 0)
  const deaths = new FalseDeaths(cohort, chosen)
  const end = cohort.now + totalMs
  while (cohort.now < end) {
    for (const { process, port } of chosen) {
      port.hold()
      if (kind === 'stopped') process.pause()
    }
    await cohort.run(silentMs)
    await goOn(cohort, chosen)
    await cohort.run(soundMs)
  }
  return deaths.figures()
}

async function goOn(cohort: Cohort, hosts: readonly Host[]): Promise<void> {
  for (const { process } of hosts) process.resume()
  await cohort.run(TIMERS_MS)
  for (const { port } of hosts) port.release()
}
