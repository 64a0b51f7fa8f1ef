// The reader's end of a live stream: goes to the owner of its key, and to the next one whenever that dies or the key
// moves, for as long as it is not destroyed. What it may have missed meanwhile it says, as a `gap`, before it goes on.
import { Readable } from 'node:stream'
import { ShoalError } from '../../errors.ts'
import type { Timer } from '../../runtime/clock.ts'
import type { Upring } from '../../upring/api.ts'
import type { ReceivedStreams } from '../../upring/message.ts'
import { compare, type Snapshot, type Version } from './entry.ts'
import { decodeRecord } from './wire.ts'

const PAUSE_MS = 20
const PAUSE_MS_MAX = 500

export interface Gap {
  /** The last version before the gap; null: there was no such key. */
  readonly after: Version | null
  /** The one that comes next. Revision 0: what there was is lost. */
  readonly before: Version
  /** How many changes were missed; null: nobody knows, as after a partition or a loss. */
  readonly missed: number | null
}

export interface LiveParts {
  readonly upring: Upring
  readonly namespace: string
  readonly key: string
  /** What the stream yields for a change, before which so many were missed; null: nobody knows how many. What it throws destroys the stream. */
  yields(snapshot: Snapshot, missed: number | null): unknown
}

/**
 * Yields the present value, if there is one, and then each change. Emits `newStream` at each owner, and `gap` (a `Gap`) as soon as it
 * knows of one: what came before it may still wait to be read.
 */
export class Live extends Readable {
  readonly #parts: LiveParts
  /** Null before the first owner has answered. */
  #seen: Snapshot | null = null
  #source: Readable | null = null
  #timer: Timer | null = null
  #pauseMs = PAUSE_MS
  #isOver = false

  constructor(parts: LiveParts) {
    super({ objectMode: true })
    this.#parts = parts
    void this.#connect()
  }

  /** Ends the stream, for its reader too. */
  finish(): void {
    this.#isOver = true
    this.#timer?.cancel()
    this.#source?.destroy()
    if (!this.destroyed) this.push(null)
  }

  override _read(): void {
    this.#source?.resume()
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#timer?.cancel()
    this.#source?.destroy()
    done(error)
  }

  async #connect(): Promise<void> {
    this.#timer = null
    const { upring, namespace, key } = this.#parts
    try {
      const request = { ns: namespace, cmd: 'liveUpdates', key }
      const { streams } = await upring.request<{ streams: ReceivedStreams }>(request)
      const { updates } = streams
      if (updates === undefined) throw new ShoalError('BAD_REQUEST', { expected: 'a stream of updates' })
      if (this.destroyed || this.#isOver) updates.destroy()
      else this.#follow(updates)
    } catch (error) {
      if (this.destroyed || this.#isOver) return
      if (error instanceof ShoalError && error.retryable) this.#again()
      else this.destroy(error as Error)
    }
  }

  #follow(source: Readable): void {
    this.#source = source
    source.on('data', (data: unknown) => {
      if (this.destroyed || this.#isOver) return
      try {
        this.#take(decodeRecord(data), source)
      } catch (error) {
        this.destroy(error as Error)
      }
    })
    source.on('error', () => {})
    source.once('close', () => {
      if (this.#source === source) this.#source = null
      if (!this.destroyed && !this.#isOver) this.#again()
    })
    this.emit('newStream')
  }

  #again(): void {
    this.#timer = this.#parts.upring.clock.after(this.#pauseMs, () => void this.#connect())
    this.#pauseMs = Math.min(PAUSE_MS_MAX, this.#pauseMs * 2)
  }

  #take(snapshot: Snapshot, source: Readable): void {
    this.#pauseMs = PAUSE_MS
    const seen = this.#seen
    const isLost = seen !== null && snapshot.revision === 0 && seen.revision > 0
    // An owner that knows less than its predecessor: what it has was told already.
    if (seen !== null && !isLost && compare(snapshot, seen) <= 0) return
    this.#seen = snapshot
    const missed = seen === null ? 0 : missedBetween(seen, snapshot)
    if (seen !== null && missed !== 0) {
      const after = seen.revision === 0 ? null : versionOf(seen)
      const gap: Gap = { after, before: versionOf(snapshot), missed }
      this.emit('gap', gap)
    }
    if (missed === 0 && snapshot.value === null && (seen === null || seen.value === null)) return
    if (!this.push(this.#parts.yields(snapshot, missed))) source.pause()
  }
}

/** Null when the revisions do not tell: what there was is lost, or another history goes on. */
function missedBetween(seen: Snapshot, next: Snapshot): number | null {
  const missed = next.revision - seen.revision - 1
  return missed >= 0 ? missed : null
}

export function versionOf({ revision, stamp, by }: Snapshot): Version {
  return { revision, stamp, by }
}
