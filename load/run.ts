// One run of a scenario: connect, load, measure between two readings of the counters, stop, wait for
// the last deliveries, check that every message arrived once and in order.
import { randomBytes } from 'node:crypto'
import { setTimeout as after } from 'node:timers/promises'
import { Board } from './board.ts'
import { commandLine } from './command.ts'
import { Crew } from './crew.ts'
import { Expectation } from './expectation.ts'
import { integrityOf } from './integrity.ts'
import { bucketUs, summarise } from './latency.ts'
import { describeMachine } from './machine.ts'
import type { LoadOptions } from './options.ts'
import { layOut, type Plan, type ScenarioName } from './plan.ts'
import type { LoadResult, TimelinePoint } from './result.ts'
import {
  difference,
  generatorFigures,
  heldBackPercent,
  othersCpuPercent,
  processFigures,
  type Sample,
  takeSample,
  timelinePoint
} from './samples.ts'

const SAMPLE_MS = 1_000
const DRAIN_LOOK_MS = 20
/** After the last delivery, how long a duplicate may still turn up. */
const GRACE_MS = 100

export type Phase = 'connect' | 'warm up' | 'measure' | 'drain'

/** Hears how a run goes. */
export interface Progress {
  phase(phase: Phase, plan: Plan): void
  point(point: TimelinePoint, phase: Phase, totalSeconds: number): void
}

/** Runs a scenario once. Rejects when a client cannot connect or subscribe; faults found are in the result. */
export async function run(
  scenario: ScenarioName,
  options: LoadOptions,
  progress: Progress
): Promise<LoadResult> {
  return await runPlan(scenario, layOut(scenario, options, newRunId()), options, progress)
}

/** A name for a run that no other has. */
export function newRunId(): string {
  return randomBytes(4).toString('hex')
}

/** Runs a plan once, as `run` does a scenario. */
export async function runPlan(
  scenario: string,
  plan: Plan,
  options: LoadOptions,
  progress: Progress
): Promise<LoadResult> {
  const board = new Board(options.threads, plan.streams)
  const expectation = new Expectation(plan, board)
  const crew = new Crew(plan, options, board)
  try {
    progress.phase('connect', plan)
    await crew.ready()
    const load = new Measurement(plan, options, board, expectation, crew, progress)
    const samples = await load.measure()
    await drain(options, board, expectation)
    await crew.finish()
    return conclude(scenario, plan, options, board, expectation, crew, samples, load)
  } finally {
    await crew.terminate()
  }
}

/** The part of a run under load: takes a sample each second, tells of it, and frees stalled windows. */
class Measurement {
  readonly timeline: TimelinePoint[] = []
  stalls = 0
  readonly #plan: Plan
  readonly #options: LoadOptions
  readonly #board: Board
  readonly #expectation: Expectation
  readonly #crew: Crew
  readonly #progress: Progress
  #last: Sample
  #startUs = 0

  constructor(
    plan: Plan,
    options: LoadOptions,
    board: Board,
    expectation: Expectation,
    crew: Crew,
    progress: Progress
  ) {
    this.#plan = plan
    this.#options = options
    this.#board = board
    this.#expectation = expectation
    this.#crew = crew
    this.#progress = progress
    this.#last = this.#take()
  }

  /** The samples of the measured time: first, one each second, last. */
  async measure(): Promise<Sample[]> {
    this.#last = this.#take()
    this.#startUs = this.#last.atUs
    this.#crew.tell('start')
    await this.#phase('warm up', this.#options.warmUpMs)
    const samples = await this.#phase('measure', this.#options.durationMs)
    this.#crew.tell('stop')
    this.#progress.phase('drain', this.#plan)
    return samples
  }

  async #phase(phase: Phase, durationMs: number): Promise<Sample[]> {
    this.#progress.phase(phase, this.#plan)
    const samples = [this.#last]
    const endMs = performance.now() + durationMs
    for (let leftMs = durationMs; leftMs > 1; leftMs = endMs - performance.now()) {
      // A rest of less than half a sample joins the last one.
      await after(leftMs < 1.5 * SAMPLE_MS ? leftMs : SAMPLE_MS)
      samples.push(this.#sample(phase))
    }
    return samples
  }

  #take(): Sample {
    return takeSample(this.#board, this.#expectation, this.#crew, this.#options.pids)
  }

  #sample(phase: Phase): Sample {
    const sample = this.#take()
    const point = timelinePoint(this.#last, sample, this.#startUs)
    this.timeline.push(point)
    this.#progress.point(point, phase, (this.#options.warmUpMs + this.#options.durationMs) / 1_000)
    const stalled = sample.settled === this.#last.settled && sample.published === this.#last.published
    if (stalled && sample.published > 0 && !this.#expectation.isMet()) {
      this.stalls += 1
      this.#crew.tell('forgive')
    }
    this.#last = sample
    return sample
  }
}

/** Waits until all is delivered and acknowledged, or nothing has come for `drainMs`. */
async function drain({ drainMs }: LoadOptions, board: Board, expectation: Expectation): Promise<void> {
  const state = () => board.settledTotal() + board.total('acknowledged')
  let seen = state()
  let quietSinceMs = performance.now()
  while (performance.now() - quietSinceMs < drainMs) {
    await after(DRAIN_LOOK_MS)
    if (expectation.isMet()) break
    if (state() !== seen) {
      seen = state()
      quietSinceMs = performance.now()
    }
  }
  await after(GRACE_MS)
}

function conclude(
  scenario: string,
  plan: Plan,
  options: LoadOptions,
  board: Board,
  expectation: Expectation,
  crew: Crew,
  samples: readonly Sample[],
  load: Measurement
): LoadResult {
  const from = samples[0]!
  const to = samples.at(-1)!
  const measuredSeconds = (to.atUs - from.atUs) / 1e6
  const published = to.published - from.published
  const deliveries = to.deliveries - from.deliveries
  const latencies = difference(from.latencies, to.latencies)
  const brokers = processFigures(options.pids, samples)
  const cpuUs = brokers.reduce((sum, { userUs, systemUs }) => sum + userUs + systemUs, 0)
  const { password: _, ...shown } = options
  return {
    scenario,
    title: plan.title,
    kind: plan.kind,
    command: commandLine(),
    date: new Date().toISOString(),
    machine: describeMachine(),
    options: shown,
    measuredSeconds,
    published,
    deliveries,
    publishedPerSecond: published / measuredSeconds,
    deliveriesPerSecond: deliveries / measuredSeconds,
    latency: summarise(latencies),
    distribution: [...latencies]
      .map((count, bucket): [number, number] => [bucketUs(bucket), count])
      .filter(([, count]) => count > 0),
    integrity: integrityOf(board, expectation),
    lossAllowed:
      options.allowLoss && plan.clients.every(({ publish }) => publish === undefined || publish.qos === 0),
    brokers,
    cpuUsPerDelivery: brokers.length === 0 || deliveries === 0 ? undefined : cpuUs / deliveries,
    generator: generatorFigures(from, to, plan.paces.length > 0),
    othersCpuPercent: othersCpuPercent(from, to),
    heldBackPercent: plan.paces.length > 0 ? heldBackPercent(from, to) : undefined,
    timeline: load.timeline,
    errors: crew.errors,
    stalls: load.stalls
  }
}
