// The figures that a change is compared with, kept beside the benches under version control.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { describeMachine, type Machine } from '../machine.ts'
import type { Measured } from './bench.ts'

export interface Baseline {
  date: string
  machine: Machine
  benches: Record<string, Measured>
}

/** Less than this is taken for noise. */
const MOVED_PERCENT = 10

/** The baseline in `file`; undefined where there is none. */
export function readBaseline(file: string): Baseline | undefined {
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Baseline) : undefined
}

/** Writes `measured` over what `before` knew of the same benches. */
export function writeBaseline(
  file: string,
  before: Baseline | undefined,
  measured: Record<string, Measured>
): void {
  const rounded = Object.entries(measured).map(([name, { nanoseconds, bytes }]) => [
    name,
    { nanoseconds: Number(nanoseconds.toPrecision(3)), bytes }
  ])
  const benches = { ...before?.benches, ...Object.fromEntries(rounded) }
  const baseline: Baseline = { date: new Date().toISOString(), machine: describeMachine(), benches }
  writeFileSync(file, `${JSON.stringify(baseline, null, 2)}\n`)
}

/** How a figure stands to its baseline, in words; empty when it did not move. */
export function moved(now: Measured, before: Measured | undefined): string {
  if (before === undefined) return 'new'
  const percent = (now.nanoseconds / before.nanoseconds - 1) * 100
  const notes: string[] = []
  if (Math.abs(percent) > MOVED_PERCENT)
    notes.push(`${Math.abs(percent).toFixed(0)} % ${percent > 0 ? 'slower' : 'faster'}`)
  if (now.bytes !== before.bytes && !Number.isNaN(now.bytes)) notes.push(`${before.bytes} bytes before`)
  return notes.join(', ')
}
