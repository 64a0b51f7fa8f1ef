// The live streams that an owner feeds: each begins with what there is, goes on with every change that is safe, and ends when
// the key moves, whereupon its reader asks the next owner. A reader that is too slow loses the oldest updates, which
// it sees by their revisions.
import { Readable } from 'node:stream'
import { ShoalError } from '../../errors.ts'
import type { Snapshot } from './entry.ts'
import { encodeRecord } from './wire.ts'

export class Watchers {
  readonly #byKey = new Map<string, Set<Watcher>>()
  readonly #watchersMax: number
  readonly #updatesMax: number
  #size = 0
  /** Updates that slow readers lost. */
  dropped = 0

  constructor(watchersMax: number, updatesMax: number) {
    this.#watchersMax = watchersMax
    this.#updatesMax = updatesMax
  }

  get size(): number {
    return this.#size
  }

  keys(): string[] {
    return [...this.#byKey.keys()]
  }

  /** A stream of records as they travel. Throws LIMIT_EXCEEDED. */
  watch(first: Snapshot): Readable {
    if (this.#size >= this.#watchersMax)
      throw new ShoalError('LIMIT_EXCEEDED', { limit: 'watchersMax', max: this.#watchersMax })
    const watcher = new Watcher(this.#updatesMax, () => {
      this.dropped++
    })
    const watchers = this.#byKey.get(first.key) ?? new Set()
    this.#byKey.set(first.key, watchers.add(watcher))
    this.#size++
    // The reader's link may break at any time.
    watcher.on('error', () => {})
    watcher.once('close', () => {
      this.#size--
      if (watchers.delete(watcher) && watchers.size === 0) this.#byKey.delete(first.key)
    })
    watcher.tell(first)
    return watcher
  }

  tell(snapshot: Snapshot): void {
    const watchers = this.#byKey.get(snapshot.key)
    if (watchers !== undefined) for (const watcher of watchers) watcher.tell(snapshot)
  }

  /** The key is another's now. */
  end(key: string): void {
    const watchers = this.#byKey.get(key)
    if (watchers === undefined) return
    this.#byKey.delete(key)
    for (const watcher of [...watchers]) watcher.destroy(new ShoalError('OWNER_MOVED', { key }))
  }
}

class Watcher extends Readable {
  readonly #updatesMax: number
  readonly #dropped: () => void
  readonly #queue: Snapshot[] = []
  #isWanted = false

  constructor(updatesMax: number, dropped: () => void) {
    super({ objectMode: true, highWaterMark: 1 })
    this.#updatesMax = updatesMax
    this.#dropped = dropped
  }

  tell(snapshot: Snapshot): void {
    this.#queue.push(snapshot)
    if (this.#queue.length > this.#updatesMax + 1) {
      this.#queue.shift()
      this.#dropped()
    }
    this.#flow()
  }

  override _read(): void {
    this.#isWanted = true
    this.#flow()
  }

  #flow(): void {
    while (this.#isWanted) {
      const snapshot = this.#queue.shift()
      if (snapshot === undefined) return
      this.#isWanted = this.push(encodeRecord(snapshot))
    }
  }
}
