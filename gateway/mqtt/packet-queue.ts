// Packets that wait for room in a client's in-flight window or outbox, oldest first, in memory of their
// own: appended to blocks one after the other, so that they leave as they came, many as one run of bytes.
//
//   entries  [ – │ – │ c │ d │ e ]      a and b have left
//                      ▲ head    ▲ length
import { copyBytes } from './copy.ts'

const BLOCK_BYTES = 16_384
const COMPACT_AT = 1_024

export class PacketQueue {
  /** Bytes of the packets that wait. */
  bytes = 0
  #buffers: Buffer[] = []
  #starts: number[] = []
  #ends: number[] = []
  #idOffsets: number[] = []
  #head = 0
  #block: Buffer = Buffer.alloc(0)
  #used = 0

  get count(): number {
    return this.#ends.length - this.#head
  }

  /** Copies a packet in. `idOffset` is where its packet id stands, 0 if it has none. */
  add(buffer: Uint8Array, start: number, end: number, idOffset: number): void {
    const length = end - start
    if (this.#used + length > this.#block.length) {
      this.#block = Buffer.allocUnsafeSlow(Math.max(length, BLOCK_BYTES))
      this.#used = 0
    }
    copyBytes(this.#block, this.#used, buffer, start, end)
    this.#buffers.push(this.#block)
    this.#starts.push(this.#used)
    this.#used += length
    this.#ends.push(this.#used)
    this.#idOffsets.push(idOffset)
    this.bytes += length
  }

  /** The oldest packet: its memory, where it begins and ends, and where its packet id stands. */
  get buffer(): Buffer {
    return this.#buffers[this.#head]!
  }

  get start(): number {
    return this.#starts[this.#head]!
  }

  get end(): number {
    return this.#ends[this.#head]!
  }

  get idOffset(): number {
    return this.#idOffsets[this.#head]!
  }

  /** Forgets the oldest packet. */
  shift(): void {
    this.bytes -= this.end - this.start
    this.#head++
    if (this.#head === this.#ends.length) {
      // The block stays valid for those who still hold its bytes: it is not written to again from the start.
      this.#compact()
    } else if (this.#head >= COMPACT_AT && this.#head * 2 >= this.#ends.length) {
      this.#compact()
    }
  }

  #compact(): void {
    this.#buffers.splice(0, this.#head)
    this.#starts.splice(0, this.#head)
    this.#ends.splice(0, this.#head)
    this.#idOffsets.splice(0, this.#head)
    this.#head = 0
  }
}
