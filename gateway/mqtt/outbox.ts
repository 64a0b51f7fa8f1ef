// What one client gets in one tick, gathered and written once. Output is kept as pieces of memory that others
// own; a packet that lies behind the last one only makes its piece longer, so that in a fan-out every
// connection writes the same one view of the chunk that the publisher's packets were read into.
//
//   pieces   slab 3 ├────┤   chunk 7 ├───────────────┤        patches: where ids of QoS 1 are to be written
//            closed            start ──▲   the open one ▲── end
//
// Packets with ids of their own are copied, once, to where they are written from, and patched there.
import { behindTopic, packetEnd } from '../../broker/run.ts'
import type { Acknowledgements } from './acknowledgements.ts'
import { PUBACK_BYTES_MAX } from './acknowledgements.ts'
import { Backlog } from './backlog.ts'
import { copyBytes } from './copy.ts'
import type { Version } from './decode.ts'
import { IDS } from './inflight.ts'
import type { Scratch } from './scratch.ts'
import type { ByteTransport } from './transport.ts'

/** Output of one tick is written early when it reaches this. */
const FLUSH_BYTES = 49_152

export class Outbox {
  readonly transport: ByteTransport
  readonly scratch: Scratch
  version: Version = 4
  /** Whose PUBACKs leave with the output; null until the client has published at QoS 1. */
  acknowledgements: Acknowledgements | null = null
  /** Bytes gathered, PUBACKs not counted. */
  pending = 0
  /** The open piece, `start..end` of `buffer`: behind it the next packet may lie. Null if nothing is gathered. */
  buffer: Uint8Array | null = null
  start = 0
  end = 0
  /** The pieces before it: `starts[i]..ends[i]` of `buffers[i]`. */
  buffers: Uint8Array[] = []
  starts: number[] = []
  ends: number[] = []
  closed = 0
  /** Triples: where packets of QoS 1 and 2 begin within the `pending` bytes, the id of the first, and how many they are. */
  patches: number[] = []
  patched = 0
  /** What waits for the socket; null until it once had to. */
  backlog: Backlog | null = null

  constructor(transport: ByteTransport, scratch: Scratch) {
    this.transport = transport
    this.scratch = scratch
  }

  /** Bytes that the socket has not been given yet. */
  get bytes(): number {
    return this.backlog === null ? this.pending : this.pending + this.backlog.bytes
  }

  /** Adds whole packets. The bytes must stay as they are. */
  push(buffer: Uint8Array, start: number, end: number): void {
    if (this.buffer === buffer && this.end === start) {
      this.end = end
    } else {
      if (this.buffer !== null) this.#closePiece(this.buffer)
      this.buffer = buffer
      this.start = start
      this.end = end
    }
    this.pending += end - start
    if (this.pending >= FLUSH_BYTES) this.flush()
  }

  /** Adds `count` PUBLISH packets of QoS 1 or 2 whose ids are to be `id` and those that follow it in the circle. */
  pushWithIds(buffer: Uint8Array, start: number, end: number, id: number, count: number): void {
    this.patches[this.patched++] = this.pending
    this.patches[this.patched++] = id
    this.patches[this.patched++] = count
    this.push(buffer, start, end)
  }

  /**
   * Hands all that is gathered to the socket, or puts it by when the socket has not taken what it has. PUBACKs wait for the
   * socket where they are: no more than the client's publishes, which wait with them.
   */
  flush(): void {
    const isFree = this.transport.writable && (this.backlog === null || this.backlog.bytes === 0)
    this.#flush(isFree, isFree)
  }

  #flush(isFree: boolean, withAcknowledgements: boolean): void {
    const acknowledgements = withAcknowledgements ? this.acknowledgements : null
    const acknowledges = acknowledgements?.ready === true
    if (this.pending === 0 && !acknowledges) return
    const transport = this.transport
    const room = this.pending + (acknowledges ? acknowledgements.count * PUBACK_BYTES_MAX : 0)
    if (!isFree) {
      this.backlog ??= new Backlog(this.scratch.buffer)
      this.backlog.reserve(room)
      this.backlog.commit(this.#gather(this.backlog.buffer, this.backlog.start, acknowledgements))
    } else if (this.closed === 0 && this.patched === 0 && !acknowledges) {
      transport.write(this.scratch.viewOf(this.buffer!, this.start, this.end))
    } else {
      const scratch = this.scratch
      scratch.take(room)
      const start = scratch.start
      const bytes = this.#gather(scratch.buffer, start, acknowledgements)
      transport.write(scratch.buffer.subarray(start, start + bytes))
      if (transport.writable) scratch.giveBack()
    }
    this.#clear()
  }

  /** The socket has taken what it had: gives it more. */
  onWritable(): void {
    const backlog = this.backlog
    while (backlog !== null && backlog.bytes > 0 && this.transport.writable) {
      this.transport.write(backlog.shift()!)
    }
    this.flush()
  }

  /** Hands over everything, whether the socket takes it now or not; nothing more may be pushed. */
  finish(): void {
    this.flush()
    this.#flush(false, true)
    const backlog = this.backlog
    if (backlog !== null) {
      while (backlog.bytes > 0) this.transport.write(backlog.shift()!)
    }
    this.drop()
  }

  /** Forgets everything. */
  drop(): void {
    this.#clear()
    this.backlog = null
    this.acknowledgements = null
  }

  /** Copies PUBACKs and pieces to `target`, and patches ids. Returns how many bytes that is. */
  #gather(target: Uint8Array, at: number, acknowledgements: Acknowledgements | null): number {
    let next = at
    if (acknowledgements !== null) next = acknowledgements.write(target, next, this.version)
    const base = next
    for (let i = 0; i < this.closed; i++) {
      next = copyBytes(target, next, this.buffers[i]!, this.starts[i]!, this.ends[i]!)
    }
    if (this.buffer !== null) next = copyBytes(target, next, this.buffer, this.start, this.end)
    for (let i = 0; i < this.patched; i += 3) {
      writeIds(target, base + this.patches[i]!, this.patches[i + 1]!, this.patches[i + 2]!)
    }
    return next - at
  }

  #closePiece(buffer: Uint8Array): void {
    this.buffers[this.closed] = buffer
    this.starts[this.closed] = this.start
    this.ends[this.closed] = this.end
    this.closed++
  }

  #clear(): void {
    this.buffer = null
    // The memory of pieces is not kept alive by a list that is only longer than it now needs to be.
    for (let i = 0; i < this.closed; i++) this.buffers[i] = this.scratch.buffer
    this.closed = 0
    this.pending = 0
    this.patched = 0
  }
}

/** Writes ids into `count` PUBLISH packets of QoS 1 or 2 that lie one behind the other from `at` on. */
function writeIds(target: Uint8Array, at: number, first: number, count: number): void {
  let id = first
  let packet = at
  for (let left = count; left > 0; left--) {
    const place = behindTopic(target, packet)
    target[place] = id >> 8
    target[place + 1] = id & 0xff
    id = id === IDS ? 1 : id + 1
    if (left > 1) packet = packetEnd(target, packet)
  }
}
