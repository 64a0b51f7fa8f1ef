// Memory in which one connection's output is gathered and from which it is written: the same bytes for
// the next connection if the socket took all of it, and left to the socket if it did not.

/** More than one connection gathers before it writes: up to 48 KiB, a run, and its PUBACKs. */
const SCRATCH_BYTES = 131_072

export class Scratch {
  buffer: Buffer = Buffer.allocUnsafeSlow(SCRATCH_BYTES)
  /** Where the last `take` gave room. */
  start = 0
  next = 0
  /** The last shared view made: in a fan-out the next connection writes the same one. */
  viewed: Uint8Array = this.buffer
  viewStart = -1
  viewEnd = -1
  view: Uint8Array = this.buffer

  /** Gives `bytes` of memory, at `buffer` from `start` on. */
  take(bytes: number): void {
    if (this.next + bytes > this.buffer.length) {
      this.buffer = Buffer.allocUnsafeSlow(Math.max(bytes, SCRATCH_BYTES))
      this.next = 0
    }
    this.start = this.next
    this.next += bytes
  }

  /** The bytes of the last `take` are no longer in use. */
  giveBack(): void {
    this.next = this.start
  }

  /** A view of `start..end` of `buffer`, shared with whoever asks for the same next. */
  viewOf(buffer: Uint8Array, start: number, end: number): Uint8Array {
    if (this.viewed !== buffer || this.viewStart !== start || this.viewEnd !== end) {
      this.viewed = buffer
      this.viewStart = start
      this.viewEnd = end
      this.view = start === 0 && end === buffer.length ? buffer : buffer.subarray(start, end)
    }
    return this.view
  }

  /** Lets go of what was viewed, and of a buffer that a large packet made. */
  forget(): void {
    this.viewed = this.buffer
    this.view = this.buffer
    this.viewStart = -1
    if (this.buffer.length > SCRATCH_BYTES) {
      this.buffer = Buffer.allocUnsafeSlow(SCRATCH_BYTES)
      this.next = 0
    }
  }
}
