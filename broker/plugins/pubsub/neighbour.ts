// What this node tells one other: its filters, and messages that match the other's, in one order. One request is under way at a
// time and carries all that has gathered; it is repeated until it is answered, and numbered, so that it counts once. When
// the other node is gone, so is all that waits for it.
import { ShoalError } from '../../errors.ts'
import type { Upring } from '../../upring/api.ts'

const TRY_MS = 5000
const PAUSE_MS = 20
const PAUSE_MS_MAX = 500
/** Of one request. */
const BATCH_BYTES = 256 * 1024
const BATCH_MAX = 1000

/** A message as encoded, or a filter that is listened to (true) or no more (false). */
export type News = Uint8Array | readonly [filter: string, isWanted: boolean]

/** What a request carries. */
export interface Batch {
  readonly from: string
  /** Of the neighbour: a later one begins anew, with all filters. */
  readonly session: string
  readonly number: number
  readonly news: readonly News[]
}

interface Item {
  readonly news: News
  /** The other node has it, or is gone. */
  readonly settled: () => void
}

export interface NeighbourParts {
  readonly upring: Upring
  readonly namespace: string
  readonly session: string
  /** News that wait; messages beyond it are refused. */
  readonly queueMax: number
  /** The other node is no member any more. */
  gone(): void
}

export class Neighbour {
  readonly id: string
  readonly #parts: NeighbourParts
  readonly #queue: Item[] = []
  #number = 0
  #isSending = false
  #isGone = false

  /** Begins with `filters`. */
  constructor(id: string, filters: Iterable<string>, parts: NeighbourParts) {
    this.id = id
    this.#parts = parts
    for (const filter of filters) this.#queue.push({ news: [filter, true], settled: () => {} })
    // The first request is sent even if there is nothing to say: it says so.
    void this.#send()
  }

  get waiting(): number {
    return this.#queue.length
  }

  /** False when there is no room. Filters are told whatever waits: they are bounded themselves. */
  tell(news: News, settled: () => void): boolean {
    if (this.#isGone) {
      settled()
      return true
    }
    if (news instanceof Uint8Array && this.#queue.length >= this.#parts.queueMax) return false
    this.#queue.push({ news, settled })
    if (!this.#isSending) void this.#send()
    return true
  }

  /** Nothing more is sent; what waits is settled. */
  end(): void {
    this.#isGone = true
    for (const { settled } of this.#queue.splice(0)) settled()
  }

  /** Never rejects. */
  async #send(): Promise<void> {
    this.#isSending = true
    do {
      // What is said in one tick goes together.
      await Promise.resolve()
      const items = this.#take()
      const { upring, session } = this.#parts
      const batch: Batch = {
        from: upring.whoami(),
        session,
        number: ++this.#number,
        news: items.map(({ news }) => news)
      }
      await this.#deliver(batch)
      for (const { settled } of items) settled()
    } while (this.#queue.length > 0)
    this.#isSending = false
  }

  #take(): Item[] {
    let [count, bytes] = [0, 0]
    while (count < this.#queue.length && count < BATCH_MAX && bytes < BATCH_BYTES)
      bytes += this.#queue[count++]!.news.length
    return this.#queue.splice(0, count)
  }

  async #deliver(batch: Batch): Promise<void> {
    const { upring, namespace: ns } = this.#parts
    for (let pauseMs = PAUSE_MS; !this.#isGone; pauseMs = Math.min(PAUSE_MS_MAX, pauseMs * 2)) {
      try {
        await upring.peerConn(this).request({ ns, cmd: 'news', ...batch }, { timeoutMs: TRY_MS })
        return
      } catch (error) {
        if (error instanceof ShoalError && error.retryable && error.code !== 'PEER_UNKNOWN') {
          upring.log.debug({ peer: this.id, error }, 'news not taken yet')
        } else {
          if (error instanceof ShoalError && error.code !== 'PEER_UNKNOWN')
            upring.log.warn({ peer: this.id, error }, 'a node without the plugin')
          this.end()
          this.#parts.gone()
        }
      }
      if (!this.#isGone) await new Promise<void>(resolve => upring.clock.after(pauseMs, resolve))
    }
  }
}
