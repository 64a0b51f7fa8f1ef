// A packet that arrives in pieces. Its memory grows with what has arrived, never with what its header
// only announces.
import type { Header } from './decode.ts'

const FIRST_BYTES = 512

export class Assembly {
  buffer: Buffer = Buffer.allocUnsafeSlow(FIRST_BYTES)
  /** Bytes that have arrived. */
  length = 0
  /** Bytes of the whole packet; 0 until its header has arrived. */
  expected = 0

  /** True when the packet is whole: the first `length` bytes of `buffer`. */
  get whole(): boolean {
    return this.expected > 0 && this.length === this.expected
  }

  /**
   * Takes what belongs to the packet from `chunk` at `at`; returns where the rest begins. Stops when the header has
   * arrived, so that its length can be judged before more is taken; -1 if the header is not valid.
   */
  takeHeader(chunk: Uint8Array, at: number, header: Header): number {
    while (this.expected === 0 && at < chunk.length) {
      this.buffer[this.length++] = chunk[at++]!
      const status = header.read(this.buffer, 0, this.length)
      if (status < 0) return -1
      if (status > 0) this.expected = header.end
    }
    return at
  }

  /** Takes what belongs to the packet's rest from `chunk` at `at`; returns where the rest of the chunk begins. */
  takeRest(chunk: Uint8Array, at: number): number {
    const end = Math.min(chunk.length, at + this.expected - this.length)
    const bytes = end - at
    if (this.length + bytes > this.buffer.length) {
      const size = Math.min(this.expected, Math.max(this.buffer.length * 2, this.length + bytes))
      const larger = Buffer.allocUnsafeSlow(size)
      larger.set(this.buffer.subarray(0, this.length))
      this.buffer = larger
    }
    this.buffer.set(chunk.subarray(at, end), this.length)
    this.length += bytes
    return end
  }
}
