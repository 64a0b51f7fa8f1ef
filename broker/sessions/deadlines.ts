// When something is to be done for each of many: one timer for all, and a bucket a second. Nobody is early, and
// nobody is later than a second and a bit.
//
//   second     41          42          43
//   bucket   { a, d }     { }        { b }          due(42.3) takes a and d

const BUCKET_MS = 1000

export class Deadlines<T> {
  readonly #buckets = new Map<number, Set<T>>()
  readonly #places = new Map<T, number>()
  /** The bucket that was taken last. */
  #taken = -1

  get size(): number {
    return this.#places.size
  }

  /** Sets or moves the deadline of `each`, in ms; Infinity: it has none. */
  set(each: T, atMs: number): void {
    this.clear(each)
    if (atMs === Infinity) return
    const bucket = Math.max(Math.ceil(atMs / BUCKET_MS), this.#taken + 1)
    let members = this.#buckets.get(bucket)
    if (members === undefined) {
      members = new Set()
      this.#buckets.set(bucket, members)
    }
    members.add(each)
    this.#places.set(each, bucket)
  }

  clear(each: T): void {
    const bucket = this.#places.get(each)
    if (bucket === undefined) return
    this.#places.delete(each)
    const members = this.#buckets.get(bucket)!
    members.delete(each)
    if (members.size === 0) this.#buckets.delete(bucket)
  }

  /** Takes those whose deadline has passed. */
  due(nowMs: number): T[] {
    const now = Math.floor(nowMs / BUCKET_MS)
    const due: T[] = []
    if (this.#taken === -1 || now - this.#taken > this.#buckets.size) {
      for (const [bucket, members] of this.#buckets) if (bucket <= now) due.push(...members)
    } else {
      for (let bucket = this.#taken + 1; bucket <= now; bucket++)
        due.push(...(this.#buckets.get(bucket) ?? []))
    }
    this.#taken = Math.max(now, this.#taken)
    for (const each of due) this.clear(each)
    return due
  }
}
