// Memory that is only ever appended to: bytes written here are never written again, so that views of
// them can be shared by every subscriber, and packets written one after the other lie one after the other.

const SLAB_BYTES = 65_536
/** Larger packets get memory of their own, so that one reader of a small packet never keeps a large one alive. */
const LARGE_BYTES = 16_384

export class Slab {
  /** Where the last `take` gave room: `buffer` from `start` on. */
  buffer: Buffer = Buffer.allocUnsafeSlow(0)
  start = 0
  current: Buffer = this.buffer
  next = 0

  /** Gives `bytes` of memory that is the caller's to fill, at `buffer` from `start` on. */
  take(bytes: number): void {
    if (bytes > LARGE_BYTES) {
      this.buffer = Buffer.allocUnsafeSlow(bytes)
      this.start = 0
      return
    }
    if (this.next + bytes > this.current.length) {
      this.current = Buffer.allocUnsafeSlow(SLAB_BYTES)
      this.next = 0
    }
    this.buffer = this.current
    this.start = this.next
    this.next += bytes
  }

  /** The last `take` needed less: its bytes end at `end`. */
  endAt(end: number): void {
    if (this.buffer === this.current) this.next = end
  }
}
