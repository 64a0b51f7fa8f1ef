// What this node tells one other: its filters, and messages that match the other's, in one order. One request is under way at a
// time and carries all that has gathered; it is repeated until it is answered, and numbered, so that it counts once. When
// the other node is gone, so is all that waits for it.
import { ShoalError } from '../../errors.ts'
import type { Upring } from '../../upring/api.ts'
import type { ReceivedMessage } from '../../upring/message.ts'

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
  /** Null: nothing, but whoever waits for what was said before. */
  readonly news: News | null
  /** The other node has it, or is gone. */
  readonly settled: () => void
}

export interface NeighbourParts {
  readonly upring: Upring
  readonly namespace: string
  /** News that wait; messages beyond it are refused. */
  readonly queueMax: number
  /** A name that no session of this node had before. */
  session(): string
  /** All that this node listens to. */
  filters(): Iterable<string>
  /** The answer to the first request: what the other node listens to. */
  met(reply: ReceivedMessage): void
  /** The other node is no member any more. */
  gone(): void
}

export class Neighbour {
  readonly id: string
  readonly #parts: NeighbourParts
  readonly #queue: Item[] = []
  #session: string
  #number = 0
  #isSending = false
  #isGone = false

  constructor(id: string, parts: NeighbourParts) {
    this.id = id
    this.#parts = parts
    this.#session = parts.session()
    for (const news of this.#filters()) this.#queue.push({ news, settled: () => {} })
    // The first request is sent even if there is nothing to say: it says so.
    void this.#send()
  }

  get session(): string {
    return this.#session
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

  /** Calls back when the other node has all that was said so far, or is gone. */
  flush(settled: () => void): void {
    if (this.#isSending && !this.#isGone) this.#queue.push({ news: null, settled })
    else settled()
  }

  /** Finds out whether it is still there. */
  greet(): void {
    if (!this.#isSending && !this.#isGone) void this.#send()
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
      this.#number++
      await this.#deliver(items.flatMap(({ news }) => (news === null ? [] : [news])))
      for (const { settled } of items) settled()
    } while (this.#queue.length > 0)
    this.#isSending = false
  }

  #take(): Item[] {
    let [count, bytes] = [0, 0]
    while (count < this.#queue.length && count < BATCH_MAX && bytes < BATCH_BYTES)
      bytes += this.#queue[count++]!.news?.length ?? 0
    return this.#queue.splice(0, count)
  }

  #filters(): News[] {
    return [...this.#parts.filters()].map(filter => [filter, true] as const)
  }

  /** Until the other node has it, or is gone. */
  async #deliver(news: readonly News[]): Promise<void> {
    const { upring, namespace: ns } = this.#parts
    const batch = (): Batch => ({ from: upring.whoami(), session: this.#session, number: this.#number, news })
    for (let pauseMs = PAUSE_MS; !this.#isGone; pauseMs = Math.min(PAUSE_MS_MAX, pauseMs * 2)) {
      try {
        const reply = await upring
          .peerConn(this)
          .request({ ns, cmd: 'news', ...batch() }, { timeoutMs: TRY_MS })
        if (reply['isForgotten'] !== true) {
          if (this.#number === 1 && !this.#isGone) this.#parts.met(reply)
          return
        }
        // It took this node for dead meanwhile, and has to hear everything again.
        this.#session = this.#parts.session()
        this.#number = 1
        news = [...this.#filters(), ...news]
      } catch (error) {
        if (error instanceof ShoalError && error.retryable && error.code !== 'PEER_UNKNOWN') {
          upring.log.debug({ peer: this.id, error }, 'news not taken yet')
        } else {
          if (!(error instanceof ShoalError) || error.code !== 'PEER_UNKNOWN')
            upring.log.warn({ peer: this.id, error }, 'a node that takes no news')
          this.end()
          this.#parts.gone()
        }
      }
      if (!this.#isGone) await new Promise<void>(resolve => upring.clock.after(pauseMs, resolve))
    }
  }
}
