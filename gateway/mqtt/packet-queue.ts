// Packets that wait for room in a client's in-flight window or outbox, oldest first, in memory of their
// own: copied into blocks one behind the other, so that they leave as they came, many as one run of bytes.
//
//   first block ──▶ ┌ a ┬ b ┬──── c ────┬ d ┐ ──▶ ┌ e ┬ f ┬          ┐ ◀── last block
//                   gone ▲ start                            ▲ used
import { copyBytes } from './copy.ts'

const BLOCK_BYTES = 16_384
/** Packets of a block at most. */
const BLOCK_PACKETS = 256

/** Memory of packets and, for each, where it ends and where its packet id stands. Never written to twice. */
class Block {
  readonly buffer: Buffer
  readonly ends = new Uint32Array(BLOCK_PACKETS)
  readonly idOffsets = new Uint32Array(BLOCK_PACKETS)
  used = 0
  count = 0
  next: Block | null = null

  constructor(bytes: number) {
    this.buffer = Buffer.allocUnsafeSlow(bytes)
  }
}

export class PacketQueue {
  /** Packets that wait, and their bytes. */
  count = 0
  bytes = 0
  /** Where the oldest packet begins in its block. */
  start = 0
  #first = new Block(BLOCK_BYTES)
  #last = this.#first
  /** The oldest packet's place in its block. */
  #place = 0

  /** Copies a packet in. `idOffset` is where its packet id stands, 0 if it has none. */
  add(buffer: Uint8Array, start: number, end: number, idOffset: number): void {
    const length = end - start
    let block = this.#last
    if (block.used + length > block.buffer.length || block.count === BLOCK_PACKETS) {
      block = new Block(Math.max(length, BLOCK_BYTES))
      this.#last.next = block
      this.#last = block
      this.#skip()
    }
    block.used = copyBytes(block.buffer, block.used, buffer, start, end)
    block.ends[block.count] = block.used
    block.idOffsets[block.count] = idOffset
    block.count++
    this.count++
    this.bytes += length
  }

  /** The oldest packet: its memory, where it ends, and where its packet id stands. There must be one. */
  get buffer(): Buffer {
    return this.#first.buffer
  }

  get end(): number {
    return this.#first.ends[this.#place]!
  }

  get idOffset(): number {
    return this.#first.idOffsets[this.#place]!
  }

  /** Forgets the oldest packet; its bytes stay as they are for those who hold them. */
  shift(): void {
    const end = this.end
    this.count--
    this.bytes -= end - this.start
    this.start = end
    this.#place++
    this.#skip()
  }

  /** Leaves a block that has been read and will not be added to. */
  #skip(): void {
    const { next } = this.#first
    if (next === null || this.#place < this.#first.count) return
    this.#first = next
    this.#place = 0
    this.start = 0
  }
}
