// Bytes that wait for a socket, in memory of the connection's own: whatever else shared the chunks they
// came in can be freed.

const BLOCK_BYTES = 16_384

export class Backlog {
  /** Bytes waiting. */
  bytes = 0
  /** Where the last `reserve` gave room. */
  buffer: Buffer
  start = 0
  #blocks: Buffer[] = []
  /** Bytes used of the last block. */
  #used = 0

  constructor(buffer: Buffer) {
    this.buffer = buffer
  }

  /** Gives room for `bytes` to be written, at `buffer` from `start` on; `commit` says how many were. */
  reserve(bytes: number): void {
    const last = this.#blocks.at(-1)
    if (last === undefined || this.#used + bytes > last.length) {
      if (last !== undefined) this.#blocks[this.#blocks.length - 1] = last.subarray(0, this.#used)
      this.buffer = Buffer.allocUnsafeSlow(Math.max(bytes, BLOCK_BYTES))
      this.#blocks.push(this.buffer)
      this.#used = 0
    } else {
      this.buffer = last
    }
    this.start = this.#used
  }

  commit(bytes: number): void {
    this.#used += bytes
    this.bytes += bytes
  }

  /** Takes the oldest bytes; null if there are none. */
  shift(): Buffer | null {
    const block = this.#blocks.shift()
    if (block === undefined) return null
    const bytes = this.#blocks.length === 0 ? block.subarray(0, this.#used) : block
    if (this.#blocks.length === 0) this.#used = 0
    this.bytes -= bytes.length
    return bytes
  }
}
