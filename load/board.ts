// The counters of a run in shared memory: each thread writes its own row, the main thread and the
// other publishers read them as they stand. No locks: one writer a cell, and cells of eight bytes.
import { LATENCY_BUCKETS } from './latency.ts'

/** Columns of a thread's counters. */
export const COUNTER = {
  lost: 0,
  duplicated: 1,
  reordered: 2,
  foreign: 3,
  acknowledged: 4,
  refused: 5,
  connected: 6,
  disconnected: 7,
  heldBack: 8
} as const
export type CounterName = keyof typeof COUNTER
const COUNTERS = 9

/** One thread's row. */
export interface Row {
  counters: Float64Array
  /** Per stream: deliveries that arrived or are known to be lost; what a publisher's window counts by. */
  settled: Float64Array
  /** Latency of each delivery, by bucket. */
  latencies: Uint32Array
  /** How late each message was sent against its schedule, by bucket (open loop only). */
  lateness: Uint32Array
}

export class Board {
  readonly memory: SharedArrayBuffer
  readonly rows: readonly Row[]
  /** Messages sent, per stream. Written by the thread of its publisher. */
  readonly published: Float64Array
  /** 1 where a thread waits for deliveries that another thread receives. */
  readonly waiting: Int32Array

  /** Lays out a board; in a worker, pass the `memory` of the main thread's board. */
  constructor(threads: number, streams: number, memory?: SharedArrayBuffer) {
    const rowBytes = (COUNTERS + streams) * 8 + 2 * LATENCY_BUCKETS * 4
    this.memory = memory ?? new SharedArrayBuffer(streams * 8 + threads * rowBytes + threads * 4)
    let at = 0
    this.published = new Float64Array(this.memory, at, streams)
    at += streams * 8
    const rows: Row[] = []
    for (let i = 0; i < threads; i++) {
      const counters = new Float64Array(this.memory, at, COUNTERS)
      const settled = new Float64Array(this.memory, at + COUNTERS * 8, streams)
      const latencies = new Uint32Array(this.memory, at + (COUNTERS + streams) * 8, LATENCY_BUCKETS)
      const lateness = new Uint32Array(
        this.memory,
        latencies.byteOffset + LATENCY_BUCKETS * 4,
        LATENCY_BUCKETS
      )
      rows.push({ counters, settled, latencies, lateness })
      at += rowBytes
    }
    this.rows = rows
    this.waiting = new Int32Array(this.memory, at, threads)
  }

  /** A counter summed over all threads. */
  total(name: CounterName): number {
    let sum = 0
    for (const row of this.rows) sum += row.counters[COUNTER[name]]!
    return sum
  }

  /** A stream's settled deliveries, summed over all threads. */
  settledOf(stream: number): number {
    let sum = 0
    for (let i = 0; i < this.rows.length; i++) sum += this.rows[i]!.settled[stream]!
    return sum
  }

  publishedTotal(): number {
    let sum = 0
    for (let i = 0; i < this.published.length; i++) sum += this.published[i]!
    return sum
  }

  settledTotal(): number {
    let sum = 0
    for (let i = 0; i < this.published.length; i++) sum += this.settledOf(i)
    return sum
  }

  /** A copy of a distribution, summed over all threads. */
  distribution(name: 'latencies' | 'lateness'): Float64Array {
    const sum = new Float64Array(LATENCY_BUCKETS)
    for (const row of this.rows) {
      const counts = row[name]
      for (let i = 0; i < LATENCY_BUCKETS; i++) sum[i]! += counts[i]!
    }
    return sum
  }
}
