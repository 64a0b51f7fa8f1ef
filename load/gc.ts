// `load gc`: one node of our own under full load with `--trace-gc`, to see how long its garbage collector holds it up.
// A line of V8's trace is one collection; what the collector does beside the program does not hold it up:
//
//   [pid:isolate]  812 ms: Mark-Compact 9.1 (12.0) -> 8.7 (12.0) MB, 1.49 / 0.01 ms  (+ 3.1 ms in 9 steps …, biggest step 0.7 ms, …
//                          kind                                     └ pause           └ work between, in pauses of its own
import { startShoal } from './compare/shoal.ts'
import { checkOptions, type RawOptions } from './options.ts'
import { consoleProgress, type Screen } from './report/console.ts'
import { duration } from './report/figures.ts'
import { tellResult } from './report/told.ts'
import { run } from './run.ts'

/** A longer pause is a failure. */
const PAUSE_MS_MAX = 10
const COLLECTION =
  /ms: (Scavenge|Mark-Compact|Mark-sweep|Minor Mark-(?:Compact|Sweep))[^,]* MB, ([\d.]+) \/(?:.*biggest step ([\d.]+) ms)?/i

/** What one kind of collection did to a program. */
export interface Pauses {
  kind: string
  count: number
  totalMs: number
  /** The longest time that the program stood still at once. */
  longestMs: number
}

/** A trace as it is written, read line by line. */
export class Trace {
  /** Each kind of collection once, in the order in which they came. */
  readonly pauses = new Map<string, Pauses>()
  #rest = ''

  /** Reads the next part, which may end anywhere. */
  add(text: string): void {
    const lines = (this.#rest + text).split('\n')
    this.#rest = lines.pop() ?? ''
    for (const line of lines) this.#read(line)
  }

  #read(line: string): void {
    const [, kind, pause, step = 0] = COLLECTION.exec(line) ?? []
    if (kind === undefined) return
    const known = this.pauses.get(kind) ?? { kind, count: 0, totalMs: 0, longestMs: 0 }
    known.count += 1
    known.totalMs += Number(pause)
    known.longestMs = Math.max(known.longestMs, Number(pause), Number(step))
    this.pauses.set(kind, known)
  }
}

function described({ kind, count, totalMs, longestMs }: Pauses): string {
  return `${count} × ${kind}, ${duration((totalMs / count) * 1_000)} each, longest ${duration(longestMs * 1_000)}`
}

/** Runs it, and returns the exit code: 1 when a message was lost, doubled or misplaced, or a pause was too long. */
export async function gcMain(raw: RawOptions, screen: Screen): Promise<number> {
  checkOptions(raw)
  const trace = new Trace()
  const broker = await startShoal(1, undefined, {
    nodeOptions: ['--trace-gc'],
    heard: text => trace.add(text)
  })
  try {
    const options = checkOptions({ ...raw, url: broker.urls, pid: broker.pids.map(String) })
    const lines = consoleProgress(screen, options.quiet)
    const result = await run('pairs', options, {
      point: lines.point,
      phase(phase, plan) {
        // What the start and the connects left is not what this is about.
        if (phase === 'measure') trace.pauses.clear()
        lines.phase(phase, plan)
      }
    })
    const pauses = [...trace.pauses.values()]
    const longestMs = Math.max(0, ...pauses.map(each => each.longestMs))
    const isSound = tellResult(result, options, screen)
    for (const each of pauses) screen.write(`  ${'collections'.padEnd(18)}${described(each)}\n`)
    screen.write(
      `  ${'longest pause'.padEnd(18)}${duration(longestMs * 1_000)}${longestMs > PAUSE_MS_MAX ? ': TOO LONG' : ''}\n`
    )
    return isSound && longestMs <= PAUSE_MS_MAX ? 0 : 1
  } finally {
    await broker.stop()
  }
}
