// What a node does when a part of the ring becomes its own: it asks every node for what it keeps of that part, and answers for none
// of it before all have answered. The owner before it, if it lives, answers when it sees the same ring, and so writes no
// more; if it died, the new owner has been its replica, and asks all the same, since that may have been so only for a moment.
import type { Clock } from '../../broker/runtime/clock.ts'
import type { Log } from '../../broker/runtime/log.ts'
import type { Upring } from '../../broker/upring/api.ts'
import type { StealEvent } from '../../broker/upring/changes.ts'
import type { ReceivedStreams } from '../../broker/upring/message.ts'
import type { EncodedState, Table } from './table.ts'
import type { View } from './view.ts'
import { isPassing, pause } from './waiting.ts'

/** Hashes after the first number, up to and including the second. */
export type Range = readonly [start: number, end: number]

/** An item on its way to another node. */
export interface Handed {
  key: string
  stamp: number
  state: EncodedState
}

/** What is not there by then is done without, and counted. */
const TAKE_TIMEOUT_MS = 10_000

export interface TakeoverParts {
  upring: Upring
  clock: Clock
  log: Log
  table: Table
  view: View
}

export class Takeover {
  readonly counters = { taken: 0, incomplete: 0 }
  readonly #parts: TakeoverParts
  readonly #open = new Set<{ ranges: Range[]; done: Promise<void> }>()
  /** Won in this very tick. */
  #won: { ranges: Range[]; from: Set<string> } | null = null

  constructor(parts: TakeoverParts) {
    this.#parts = parts
    parts.upring.on('steal', event => this.#steal(event))
  }

  /** A promise while what is kept under a key may not be complete; null when it is. */
  awaited(hash: number): Promise<void> | null {
    for (const { ranges, done } of this.#open) if (isWithin(hash, ranges)) return done
    return null
  }

  /** Settles when all is complete. */
  async settled(): Promise<void> {
    while (this.#open.size > 0) await Promise.all([...this.#open].map(({ done }) => done))
  }

  #steal({ start, end, from }: StealEvent): void {
    let won = this.#won
    if (won === null) {
      const first = { ranges: [] as Range[], from: new Set<string>() }
      won = this.#won = first
      const open = { ranges: first.ranges, done: Promise.resolve().then(() => this.#take(first)) }
      this.#open.add(open)
      void open.done.then(() => this.#open.delete(open))
    }
    won.ranges.push([start, end])
    if (from !== null) won.from.add(from.id)
  }

  async #take({ ranges, from }: { ranges: Range[]; from: Set<string> }): Promise<void> {
    this.#won = null
    const { upring, view } = this.#parts
    const self = upring.whoami()
    const nodes = new Set([...view.nodes, ...from])
    nodes.delete(self)
    await Promise.all([...nodes].map(node => this.#takeFrom(node, ranges)))
  }

  /** Never rejects. */
  async #takeFrom(node: string, ranges: readonly Range[]): Promise<void> {
    const { upring, clock, view, log } = this.#parts
    const deadline = clock.now() + TAKE_TIMEOUT_MS
    const peer = upring.peerConn({ id: node })
    for (;;) {
      try {
        const { streams } = await peer.request<{ streams: ReceivedStreams }>({
          ns: 'aedes',
          cmd: 'take',
          view: view.id,
          ranges
        })
        for await (const { key, stamp, state } of streams['items']! as AsyncIterable<Handed>)
          if (this.#parts.table.adopt(key, stamp, state)) this.counters.taken++
        return
      } catch (error) {
        const isGone = peer.destroyed && !view.nodes.includes(node)
        if (isGone) return
        if (!isPassing(error) || clock.now() > deadline) {
          this.counters.incomplete++
          log.warn({ node, error }, 'aedes state not taken over')
          return
        }
      }
      await pause(clock)
    }
  }
}

export function isWithin(hash: number, ranges: readonly Range[]): boolean {
  for (const [start, end] of ranges) if (hash > start && hash <= end) return true
  return false
}
