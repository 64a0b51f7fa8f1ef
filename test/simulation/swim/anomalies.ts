// Lifeguard's experiment: some members stand still again and again, all at the same time. Two kinds of standing
// still: the process is stopped (SIGSTOP); or it is only its messages that wait, while its timers run on and
// blame the others for the silence.
// Source: Lifeguard (arXiv:1707.00788), section V.
import type { Cohort } from './cohort.ts'
import { type FalseDeathFigures, FalseDeaths } from './false-deaths.ts'

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
    for (const { process, port } of chosen) kind === 'stopped' ? process.pause() : port.hold()
    await cohort.run(silentMs)
    for (const { process, port } of chosen) kind === 'stopped' ? process.resume() : port.release()
    await cohort.run(soundMs)
  }
  return deaths.figures()
}
