// All keys that a node holds, its own and copies of others', with their count and their bytes.
import type { Clock } from '../../runtime/clock.ts'
import { Entry, type Snapshot } from './entry.ts'

export class Store {
  readonly #entries = new Map<string, Entry>()
  readonly #hash: (key: string) => number
  readonly #clock: Clock
  #bytes = 0

  constructor(hash: (key: string) => number, clock: Clock) {
    this.#hash = hash
    this.#clock = clock
  }

  get size(): number {
    return this.#entries.size
  }

  /** Of keys (in characters) and values. */
  get bytes(): number {
    return this.#bytes
  }

  get(key: string): Entry | undefined {
    return this.#entries.get(key)
  }

  /** In the order in which they came; bears changes while it is walked. */
  values(): Iterable<Entry> {
    return this.#entries.values()
  }

  /** The entry of a key, made if it is new. */
  entry(key: string): Entry {
    let entry = this.#entries.get(key)
    if (entry === undefined) {
      entry = new Entry(key, this.#hash(key))
      this.#entries.set(key, entry)
      this.#bytes += key.length
    }
    return entry
  }

  /** This node's own write. */
  set(entry: Entry, snapshot: Snapshot): void {
    this.#bytes += sizeOf(snapshot) - sizeOf(entry.snapshot)
    entry.snapshot = snapshot
    entry.changedAt = this.#clock.now()
  }

  /** A write of another node. True if it was news. */
  take(record: Snapshot): boolean {
    const entry = this.entry(record.key)
    const before = sizeOf(entry.snapshot)
    const isNews = entry.take(record)
    this.#bytes += sizeOf(entry.snapshot) - before
    if (isNews) entry.changedAt = this.#clock.now()
    return isNews
  }

  delete(entry: Entry): void {
    if (this.#entries.delete(entry.key)) this.#bytes -= entry.key.length + sizeOf(entry.snapshot)
  }
}

function sizeOf({ value }: Snapshot): number {
  return value === null ? 0 : value.length
}
