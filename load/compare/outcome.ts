// One run of `load` as a comparison sees it, and the cell that several make.
import { type Circumstances, OTHERS_PERCENT_MAX } from '../caveats.ts'
import type { ConnectResult } from '../connect/result.ts'
import { faultsOf } from '../integrity.ts'
import { circumstancesOf, type LoadResult } from '../result.ts'
import type { BrokerName } from './brokers.ts'
import { FIGURES, type FigureName, type Figures } from './figures.ts'

export interface Outcome extends Circumstances {
  figures: Figures
  faults: string[]
}

/** One broker's figures in one row: medians over its rounds. */
export interface Cell extends Outcome {
  broker: BrokerName
  /** Rounds that count: that came to an end, undisturbed where some were. */
  rounds: number
}

/** What a run found out, or why it failed. */
export type Run = Outcome | { failure: string }

/** Reads what `load --json` wrote. */
export function outcomeOf(result: LoadResult | ConnectResult): Outcome {
  return 'connections' in result ? ofConnect(result) : ofLoad(result)
}

function ofLoad(result: LoadResult): Outcome {
  const sum = (figure: (broker: LoadResult['brokers'][number]) => number) =>
    result.brokers.reduce((total, process) => total + figure(process), 0)
  return {
    figures: defined({
      cpuUsPerDelivery: result.cpuUsPerDelivery,
      deliveriesPerSecond: result.deliveriesPerSecond,
      p50Us: result.latency.count > 0 ? result.latency.p50Us : undefined,
      p99Us: result.latency.count > 0 ? result.latency.p99Us : undefined,
      cpuPercent: sum(process => process.cpuPercent),
      rssKib: sum(process => process.rssKibMax)
    }),
    faults: faultsOf(result.integrity, false),
    ...circumstancesOf(result)
  }
}

function ofConnect(result: ConnectResult): Outcome {
  return {
    figures: defined({
      cpuUsPerConnect: result.cpuUsPerConnect,
      kibPerConnection: result.kibPerConnection,
      connectsPerSecond: result.connectsPerSecond,
      connackP99Us: result.connectLatency.p99Us,
      idleCpuPercent: result.idleCpuPercent
    }),
    faults: result.lost > 0 ? [`${result.lost} connections ended`] : [],
    generatorWasTheLimit: false,
    othersCpuPercent: result.othersCpuPercent ?? 0,
    heldBackPercent: 0
  }
}

function defined(figures: Record<string, number | undefined>): Figures {
  return Object.fromEntries(Object.entries(figures).filter(([, value]) => value !== undefined))
}

/** The medians of several runs: of those that nobody disturbed, if there are any. A run that failed is a fault. */
export function cellOf(broker: BrokerName, runs: readonly Run[]): Cell {
  const finished = runs.filter((run): run is Outcome => !('failure' in run))
  const quiet = finished.filter(({ othersCpuPercent }) => othersCpuPercent <= OTHERS_PERCENT_MAX)
  const outcomes = quiet.length > 0 ? quiet : finished
  const figures: Figures = {}
  for (const name of Object.keys(FIGURES) as FigureName[]) {
    const values = outcomes.map(outcome => outcome.figures[name]).filter(value => value !== undefined)
    if (values.length > 0) figures[name] = median(values)
  }
  return {
    broker,
    figures,
    faults: runs.flatMap(run => ('failure' in run ? [run.failure] : run.faults)),
    generatorWasTheLimit:
      outcomes.filter(outcome => outcome.generatorWasTheLimit).length > outcomes.length / 2,
    othersCpuPercent: median(outcomes.map(outcome => outcome.othersCpuPercent)),
    heldBackPercent: median(outcomes.map(outcome => outcome.heldBackPercent)),
    rounds: outcomes.length
  }
}

/** The middle of `values`; of an even number, the mean of the two in the middle. 0 of none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const half = sorted.length >>> 1
  if (sorted.length === 0) return 0
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2
}
