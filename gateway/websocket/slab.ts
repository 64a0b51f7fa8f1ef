// Memory for bytes that are written once, shared by many sockets, and forgotten: an append-only block,
// and a new one when it is full. What is written one after the other lies side by side, so that an
// outbox can send many messages as one piece without copying them.
//
//   bytes  ┌───────────┬───────────┬─────────┬──────────────┐
//          │ message 1 │ message 2 │ message3│ free         │
//          └───────────┴───────────┴─────────┴──────────────┘
//          ▲ start of a piece                ▲ end

export class Slab {
  readonly blockBytes: number
  /** The current block. Bytes before `end` are never written again. */
  bytes: Buffer
  end: number

  constructor(blockBytes = 64 * 1024) {
    this.blockBytes = blockBytes
    this.bytes = Buffer.allocUnsafeSlow(blockBytes)
    this.end = 0
  }

  /** Makes room for `size` bytes at `end`. More than a quarter of a block gets a block of its own: see `take`. */
  reserve(size: number): void {
    if (this.bytes.length - this.end >= size) return
    this.bytes = Buffer.allocUnsafeSlow(Math.max(this.blockBytes, size))
    this.end = 0
  }

  /** The bytes from `end` to `newEnd`, which become the new end. */
  take(newEnd: number): Uint8Array {
    const taken = this.bytes.subarray(this.end, newEnd)
    this.end = newEnd
    return taken
  }
}
