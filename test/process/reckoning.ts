// What a subscriber's log says when it is held against the publisher's.
import type { LogEntry } from './publisher.ts'

export interface Arrival {
  readonly topic: string
  readonly number: number
  readonly atMs: number
}

export interface Reckoning {
  /** Acknowledged and never received. */
  readonly lost: number
  readonly duplicated: number
  /** Received after a later one of its topic. */
  readonly reordered: number
  /** The longest time without any delivery, in ms. */
  readonly longestGapMs: number
  readonly received: number
}

export function reckon(sent: readonly LogEntry[], arrivals: readonly Arrival[]): Reckoning {
  const seen = new Set<string>()
  const last = new Map<string, number>()
  let [duplicated, reordered, longestGapMs] = [0, 0, 0]
  for (const [index, { topic, number, atMs }] of arrivals.entries()) {
    const name = `${topic} ${number}`
    if (seen.has(name)) duplicated++
    else if (number < (last.get(topic) ?? -1)) reordered++
    seen.add(name)
    last.set(topic, Math.max(number, last.get(topic) ?? -1))
    const before = arrivals[index - 1]
    if (before !== undefined) longestGapMs = Math.max(longestGapMs, atMs - before.atMs)
  }
  const lost = sent.filter(
    entry => entry.ackedAtMs !== -1 && !seen.has(`${entry.topic} ${entry.number}`)
  ).length
  return { lost, duplicated, reordered, longestGapMs: Math.round(longestGapMs), received: arrivals.length }
}
