// What a subscriber's log says when it is held against the publishers'.
import type { LogEntry } from './publisher.ts'

export interface Arrival {
  readonly topic: string
  readonly number: number
  /** Of the subscriber's own clock. */
  readonly atMs: number
}

export interface Reckoning {
  readonly received: number
  /** Acknowledged to the publisher, and never received. */
  readonly lost: number
  readonly duplicated: number
  /** Received after a later one of its topic. */
  readonly reordered: number
  /** The longest time without a delivery of any topic, in ms. */
  readonly longestGapMs: number
  /**
   * The longest time between two deliveries of one topic, in ms: what a failure of one owner among several is felt
   * as. Not less than the time between two publishes of a topic.
   */
  readonly longestTopicGapMs: number
}

export function reckon(sent: readonly LogEntry[], arrivals: readonly Arrival[]): Reckoning {
  const topics = new Map<string, { seen: Set<number>; last: number; atMs: number }>()
  let [duplicated, reordered, longestGapMs, longestTopicGapMs] = [0, 0, 0, 0]
  let lastMs = arrivals[0]?.atMs ?? 0
  for (const { topic, number, atMs } of arrivals) {
    let row = topics.get(topic)
    if (row === undefined) {
      row = { seen: new Set(), last: -1, atMs }
      topics.set(topic, row)
    }
    if (row.seen.has(number)) duplicated++
    else if (number < row.last) reordered++
    longestGapMs = Math.max(longestGapMs, atMs - lastMs)
    longestTopicGapMs = Math.max(longestTopicGapMs, atMs - row.atMs)
    row.seen.add(number)
    row.last = Math.max(row.last, number)
    row.atMs = atMs
    lastMs = atMs
  }
  let lost = 0
  for (const { topic, number, ackedAtMs } of sent) {
    if (ackedAtMs !== -1 && topics.get(topic)?.seen.has(number) !== true) lost++
  }
  return {
    received: arrivals.length,
    lost,
    duplicated,
    reordered,
    longestGapMs: Math.round(longestGapMs),
    longestTopicGapMs: Math.round(longestTopicGapMs)
  }
}

export interface Acknowledgements {
  readonly published: number
  readonly acknowledged: number
  /** The longest time between two acknowledgements, in ms. */
  readonly longestGapMs: number
  /** The longest time from a publish to its acknowledgement, in ms. */
  readonly longestWaitMs: number
}

export function reckonAcknowledgements(log: readonly LogEntry[]): Acknowledgements {
  const acknowledged = log.filter(({ ackedAtMs }) => ackedAtMs !== -1)
  const times = acknowledged.map(({ ackedAtMs }) => ackedAtMs).sort((a, b) => a - b)
  let [longestGapMs, longestWaitMs] = [0, 0]
  for (const [index, time] of times.entries()) {
    longestGapMs = Math.max(longestGapMs, time - (times[index - 1] ?? time))
  }
  for (const { sentAtMs, ackedAtMs } of acknowledged) {
    longestWaitMs = Math.max(longestWaitMs, ackedAtMs - sentAtMs)
  }
  return {
    published: log.length,
    acknowledged: acknowledged.length,
    longestGapMs: Math.round(longestGapMs),
    longestWaitMs: Math.round(longestWaitMs)
  }
}
