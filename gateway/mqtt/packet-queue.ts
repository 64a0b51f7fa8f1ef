// PUBLISH packets that wait for room in a client's in-flight window or outbox, oldest first, in memory of their
// own: copied into blocks one behind the other, so that they leave as they came, many as one row of bytes. Where
// one ends and the next begins is read from the packets themselves.
//
//   first block ──▶ ┌ a ┬ b ┬──── c ────┬ d ┐ ──▶ ┌ e ┬ f ┬          ┐ ◀── last block
//                   gone ▲ start    ▲ end: b and c have room    ▲ used
import { packetEnd } from '../../broker/run.ts'
import { copyBytes } from './copy.ts'

const BLOCK_BYTES = 16_384
const QOS = 0x06

/** Memory of packets. Never written to twice. */
class Block {
  readonly buffer: Buffer
  used = 0
  next: Block | null = null

  constructor(bytes: number) {
    this.buffer = Buffer.allocUnsafeSlow(bytes)
  }
}

export class PacketQueue {
  /** Packets that wait, and their bytes. */
  count = 0
  bytes = 0
  /** The row that `find` found: packets of one QoS (1 stands for 2 as well: they have ids), the oldest first, at `start..end` of `buffer`. */
  qos: 0 | 1 = 0
  found = 0
  start = 0
  end = 0
  #first = new Block(BLOCK_BYTES)
  #last = this.#first

  /** Copies `count` packets in, which lie one behind the other. */
  add(buffer: Uint8Array, start: number, end: number, count: number): void {
    const length = end - start
    let block = this.#last
    if (block.used + length > block.buffer.length) {
      block = new Block(Math.max(length, BLOCK_BYTES))
      this.#last.next = block
      this.#last = block
      this.#skip()
    }
    block.used = copyBytes(block.buffer, block.used, buffer, start, end)
    this.count += count
    this.bytes += length
  }

  get buffer(): Buffer {
    return this.#first.buffer
  }

  /**
   * Finds the oldest packets, at most `countMax`, as many as lie together, have the QoS of the first, and take at most
   * `bytesMax` bytes and, at QoS 1 and 2, `idsMax` ids. Returns how many.
   */
  find(countMax: number, bytesMax: number, idsMax: number): number {
    const { buffer, used } = this.#first
    const qos = this.start < used ? buffer[this.start]! & QOS : 0
    const most = qos === 0 ? countMax : Math.min(idsMax, countMax)
    const limit = Math.min(used, this.start + bytesMax)
    this.qos = qos === 0 ? 0 : 1
    this.found = 0
    this.end = this.start
    while (this.found < most && this.end < limit && (buffer[this.end]! & QOS) === qos) {
      const end = packetEnd(buffer, this.end)
      if (end > limit) break
      this.end = end
      this.found++
    }
    return this.found
  }

  /** Forgets what `find` found; its bytes stay as they are for those who hold them. */
  shift(): void {
    this.count -= this.found
    this.bytes -= this.end - this.start
    this.start = this.end
    this.found = 0
    this.#skip()
  }

  /** Leaves a block that has been read and will not be added to. */
  #skip(): void {
    const { next, used } = this.#first
    if (next === null || this.start < used) return
    this.#first = next
    this.start = 0
    this.end = 0
  }
}
