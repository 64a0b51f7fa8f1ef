// Keys that come to this node. When it wins a part of the ring, it asks every other node for what it has there, and
// nobody may read or write those keys before all have answered or are gone: so a new owner knows the last write that was
// acknowledged, whichever node has it.
//
//   An answer counts only if the node that gives it sees the same ring. From then on it accepts no write, as an owner or as a
//   replica, but from the new owner: what it has not told, nobody was promised.
//
// Nodes that are leaving are on no ring any more but still hold data: each answer names those that the answering node knows of.
import { Readable } from 'node:stream'
import { ShoalError } from '../../errors.ts'
import type { Timer } from '../../runtime/clock.ts'
import type { Upring } from '../../upring/api.ts'
import type { StealEvent } from '../../upring/changes.ts'
import type { ReceivedMessage, ReceivedStreams } from '../../upring/message.ts'
import type { Snapshot } from './entry.ts'
import type { RecordsOptions } from './options.ts'
import { Ranges } from './ranges.ts'
import type { Store } from './store.ts'
import { decodeRanges, decodeRecords, decodeTexts, pagesOf, type WireRecord } from './wire.ts'

const TRY_MS = 2000
const PAUSE_MS = 10
const PAUSE_MS_MAX = 250
const PAGE_BYTES = 64 * 1024
/** Keys that are looked at in one go. */
const LOOK_MAX = 5000
/** Nodes off the ring that may hold data; the longest gone is forgotten first. */
const LEAVERS_MAX = 1000

interface Batch {
  readonly ranges: Ranges
  readonly done: Promise<void>
  readonly resolve: () => void
}

interface PullReply {
  readonly leavers: unknown
  readonly streams: ReceivedStreams
}

export class Arrivals {
  readonly #upring: Upring
  readonly #store: Store
  readonly #options: RecordsOptions
  readonly #arrived: () => void
  readonly #batches = new Set<Batch>()
  /** Of the change of the ring that is being told. */
  #opening: Batch | null = null
  readonly #leavers = new Set<string>()
  #waiting = 0
  #isClosed = false
  readonly counters = { pulls: 0, pulled: 0 }

  /** `arrived` is called when keys may be used. */
  constructor(upring: Upring, store: Store, options: RecordsOptions, arrived: () => void) {
    this.#upring = upring
    this.#store = store
    this.#options = options
    this.#arrived = arrived
    upring.on('steal', range => this.#steal(range))
    upring.on('peerDown', ({ id }) => this.#left(id))
    upring.on('peerUp', ({ id }) => this.#leavers.delete(id))
    upring.add(`ns:${options.namespace},cmd:pull`, async request => this.#answer(request))
  }

  /** Parts of the ring that are on their way. */
  get waiting(): number {
    return this.#batches.size
  }

  isClosed(hash: number): boolean {
    for (const { ranges } of this.#batches) if (ranges.has(hash)) return true
    return false
  }

  /** Settles when the key of this hash may be used, if this node still owns it. Rejects LIMIT_EXCEEDED. */
  async passed(hash: number): Promise<void> {
    const batch = [...this.#batches].find(({ ranges }) => ranges.has(hash))
    if (batch === undefined) return
    if (this.#waiting >= this.#options.waitingMax)
      throw new ShoalError('LIMIT_EXCEEDED', { limit: 'waitingMax', max: this.#options.waitingMax })
    this.#waiting++
    await batch.done
    this.#waiting--
  }

  /** Whoever waits goes on, and finds that this node owns nothing. */
  close(): void {
    this.#isClosed = true
    for (const { resolve } of this.#batches) resolve()
    this.#batches.clear()
  }

  #steal({ start, end }: StealEvent): void {
    if (this.#opening === null) {
      let resolve = (): void => {}
      const done = new Promise<void>(settle => {
        resolve = settle
      })
      const batch = { ranges: new Ranges(), done, resolve }
      this.#opening = batch
      this.#batches.add(batch)
      // All that a change of the ring brings is told within one call.
      queueMicrotask(() => {
        this.#opening = null
        void this.#pull(batch)
      })
    }
    this.#opening.ranges.add(start, end)
  }

  #left(id: string): void {
    this.#leavers.delete(id)
    this.#leavers.add(id)
    const [oldest] = this.#leavers
    if (this.#leavers.size > LEAVERS_MAX && oldest !== undefined) this.#leavers.delete(oldest)
  }

  async #pull(batch: Batch): Promise<void> {
    const asked = new Set([this.#upring.whoami()])
    const answers: Promise<void>[] = []
    const ask = (id: string): void => {
      if (asked.has(id)) return
      asked.add(id)
      answers.push(this.#ask(id, batch, ask))
    }
    for (const { id } of this.#upring.peers()) ask(id)
    for (const id of this.#leavers) ask(id)
    // Grows while it is walked.
    for (const answer of answers) await answer
    if (this.#isClosed) return
    this.#batches.delete(batch)
    this.#arrived()
    batch.resolve()
  }

  /** Until it has told all, or is gone. Never rejects. */
  async #ask(id: string, batch: Batch, also: (id: string) => void): Promise<void> {
    for (let pauseMs = PAUSE_MS; !this.#isClosed; pauseMs = Math.min(PAUSE_MS_MAX, pauseMs * 2)) {
      try {
        return await this.#pullFrom(id, batch.ranges, also)
      } catch (error) {
        if (this.#hasNothing(id, error)) return
        this.#upring.log.debug({ peer: id, error }, 'pull failed')
      }
      await new Promise<void>(resolve => this.#upring.clock.after(pauseMs, resolve))
    }
  }

  async #pullFrom(id: string, ranges: Ranges, also: (id: string) => void): Promise<void> {
    this.counters.pulls++
    const { leavers, streams } = await this.#upring.peerConn({ id }).request<PullReply>(
      {
        ns: this.#options.namespace,
        cmd: 'pull',
        view: this.#upring.digest,
        ranges: ranges.pairs
      },
      { timeoutMs: TRY_MS }
    )
    for (const leaver of decodeTexts(leavers)) also(leaver)
    const { records } = streams
    if (records === undefined) throw new ShoalError('BAD_REQUEST', { expected: 'a stream of records' })
    const silence = new Silence(this.#upring, records)
    try {
      for await (const page of records) {
        silence.broken()
        for (const record of decodeRecords(page)) {
          this.counters.pulled++
          this.#store.take(record)
        }
      }
    } finally {
      silence.end()
    }
  }

  #hasNothing(id: string, error: unknown): boolean {
    if (!(error instanceof ShoalError)) return false
    if (error.code === 'PATTERN_MISSING' || error.code === 'HANDLER_MISSING') {
      this.#upring.log.warn({ peer: id, ns: this.#options.namespace }, 'a node without the plugin')
      return true
    }
    if (error.code !== 'PEER_UNKNOWN' || this.#upring.peers().some(peer => peer.id === id)) return false
    this.#leavers.delete(id)
    return true
  }

  #answer({ view, ranges }: ReceivedMessage): object {
    if (view !== this.#upring.digest)
      throw new ShoalError('OWNER_MOVED', { reason: 'another view of the ring' })
    const wanted = decodeRanges(ranges)
    const records = Readable.from(this.#pages(wanted))
    return { leavers: [...this.#leavers], streams: { records } }
  }

  /** Looks at so many keys at a time, that others have their turn as well. */
  async *#pages(wanted: Ranges): AsyncGenerator<WireRecord[]> {
    let found: Snapshot[] = []
    let looked = 0
    for (const { hash, snapshot } of this.#store.values()) {
      if (wanted.has(hash)) found.push(snapshot)
      if (++looked % LOOK_MAX > 0) continue
      yield* pagesOf(found, PAGE_BYTES)
      found = []
      await new Promise<void>(resolve => this.#upring.clock.defer(resolve))
    }
    yield* pagesOf(found, PAGE_BYTES)
  }
}

/** Ends a stream that says nothing: its node may stand still. */
class Silence {
  readonly #upring: Upring
  readonly #stream: Readable
  #timer: Timer

  constructor(upring: Upring, stream: Readable) {
    this.#upring = upring
    this.#stream = stream
    this.#timer = this.#start()
  }

  broken(): void {
    this.#timer.cancel()
    this.#timer = this.#start()
  }

  end(): void {
    this.#timer.cancel()
  }

  #start(): Timer {
    return this.#upring.clock.after(TRY_MS, () => this.#stream.destroy(new ShoalError('TIMEOUT')))
  }
}
