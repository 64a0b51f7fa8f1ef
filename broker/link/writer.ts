// Gathers the frames of one tick, and writes them at once. Small frames are encoded side by side in a slab;
// a large payload is not copied but stands between two parts of the slab.
//
//     pieces  ┌─────────────┐ ┌────────────────┐ ┌────────┐
//             │ part of slab│ │ large payload  │ │ part   │        in the order in which they were encoded
//             └─────────────┘ └────────────────┘ └────────┘
//     slab    ┌───────────────┬────────────────┬──────────┐
//             │ written: never│ gathered       │ free     │        a slab is filled once and left to the
//             │ touched again │                │          │        collector: the far end of a duplex in
//             └───────────────┴────────────────┴──────────┘        memory may hold views of it. But one of which
//                              ▲ start          ▲ at               the duplex has taken a copy is filled again
import assert from 'node:assert'
import type { Clock } from '../runtime/clock.ts'
import type { NetworkStream } from '../runtime/network.ts'
import { HEADER_BYTES } from './frame.ts'

/** Payloads of more bytes than this are written from where they are. */
export const INLINE_BYTES_MAX = 4096
/** So are runs of more: copied to the slab they are one piece with others, of which the duplex takes a hundred a write. */
export const INLINE_RUN_BYTES_MAX = 32_768

/** So much is written at once, without waiting for the end of the tick. */
const GATHERED_BYTES_MAX = 65_536

const SLAB_BYTES_MIN = 1024
const SLAB_BYTES_MAX = 65_536

const nothing: Buffer = Buffer.alloc(0)

/** What a writer tells its link. */
export interface WriterEvents {
  /** The tick ends: a last chance to encode frames that waited for it. */
  flushing(): void
  /** The duplex has been given bytes, or has got rid of some. */
  moved(): void
}

export class Writer {
  /** Encode at the position that `open` returned; valid until the next `open`. */
  slab: Buffer
  /** More than `bufferBytesMax` wait: what can be dropped should be. */
  isFull: boolean
  /** More than twice as many waited. From then on everything is dropped: the link cannot be saved. */
  hasOverflowed: boolean
  bytesOut: number
  framesOut: number
  readonly #bufferBytesMax: number
  readonly #duplex: NetworkStream
  readonly #clock: Clock
  readonly #events: WriterEvents
  #start: number
  #at: number
  #pieces: Uint8Array[]
  #gatheredBytes: number
  #scheduled: boolean
  #closed: boolean
  readonly #flushScheduled: () => void
  readonly #written: () => void

  constructor(duplex: NetworkStream, clock: Clock, bufferBytesMax: number, events: WriterEvents) {
    this.slab = nothing
    this.isFull = false
    this.hasOverflowed = false
    this.bytesOut = 0
    this.framesOut = 0
    this.#bufferBytesMax = bufferBytesMax
    this.#duplex = duplex
    this.#clock = clock
    this.#events = events
    this.#start = 0
    this.#at = 0
    this.#pieces = []
    this.#gatheredBytes = 0
    this.#scheduled = false
    this.#closed = false
    this.#flushScheduled = (): void => this.flush()
    this.#written = (): void => {
      if (this.#closed) return
      this.#measure()
      this.#events.moved()
    }
  }

  /** Bytes gathered, or given to the duplex and not yet taken by the system. */
  get bufferedBytes(): number {
    return this.#gatheredBytes + this.#duplex.writableLength
  }

  /** Makes room for a frame whose body takes at most `bodyBytesMax` of the slab; returns where the body begins. */
  open(bodyBytesMax: number): number {
    const needed = HEADER_BYTES + bodyBytesMax
    if (needed > this.slab.length - this.#at) {
      if (this.#duplex.takesCopies === true && this.slab.length === SLAB_BYTES_MAX) this.#push()
      if (needed > this.slab.length - this.#at) this.#replaceSlab(needed)
    }
    return this.#at + HEADER_BYTES
  }

  /** The body that was opened ends at `end`; `extraBytes` of it follow by `append`. */
  seal(type: number, end: number, extraBytes: number): void {
    const slab = this.slab
    const head = this.#at
    const length = end - head - HEADER_BYTES + extraBytes
    slab[head] = length
    slab[head + 1] = length >>> 8
    slab[head + 2] = length >>> 16
    slab[head + 3] = type
    this.#at = end
    this.#gatheredBytes += end - head
    this.framesOut++
    this.schedule()
    if (extraBytes === 0 && this.#gatheredBytes >= GATHERED_BYTES_MAX) this.#push()
  }

  /** Ends a frame with bytes that are written from where they are, and must never change. */
  append(bytes: Uint8Array): void {
    this.#cut()
    this.#pieces.push(bytes)
    this.#gatheredBytes += bytes.length
    if (this.#gatheredBytes >= GATHERED_BYTES_MAX) this.#push()
  }

  /** Flushes at the end of this tick. */
  schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    this.#clock.defer(this.#flushScheduled)
  }

  /** A frame without a body. */
  empty(type: number): void {
    this.seal(type, this.open(0), 0)
  }

  /** A frame whose body is `bytes`, which are copied. */
  frame(type: number, bytes: Uint8Array): void {
    const at = this.open(bytes.length)
    this.slab.set(bytes, at)
    this.seal(type, at + bytes.length, 0)
  }

  /** Writes what is gathered, now. */
  flush(): void {
    if (!this.#closed) this.#events.flushing()
    this.#push()
    this.#scheduled = false
    if (!this.#closed) this.#events.moved()
  }

  /** Drops what is gathered, and all that is encoded from now on. */
  close(): void {
    this.#closed = true
    this.#drop()
  }

  #push(): void {
    if (this.#closed || this.hasOverflowed) return this.#drop()
    this.#cut()
    const pieces = this.#pieces
    if (pieces.length === 0) return
    this.bytesOut += this.#gatheredBytes
    this.#gatheredBytes = 0
    this.#pieces = []
    if (pieces.length === 1) this.#duplex.write(pieces[0], this.#written)
    else {
      this.#duplex.cork()
      for (let i = 0; i < pieces.length - 1; i++) this.#duplex.write(pieces[i])
      this.#duplex.write(pieces[pieces.length - 1], this.#written)
      this.#duplex.uncork()
    }
    if (this.#duplex.takesCopies === true && this.#duplex.writableLength === 0) {
      this.#start = 0
      this.#at = 0
    }
    this.#measure()
  }

  #measure(): void {
    const buffered = this.bufferedBytes
    this.isFull = buffered > this.#bufferBytesMax
    if (buffered > 2 * this.#bufferBytesMax) this.hasOverflowed = true
  }

  /** Makes what was encoded since the last cut a piece of its own. */
  #cut(): void {
    if (this.#at === this.#start) return
    this.#pieces.push(this.slab.subarray(this.#start, this.#at))
    this.#start = this.#at
  }

  // Slabs grow with the traffic: an idle link should not hold 64 KiB for its heartbeats.
  #replaceSlab(neededBytes: number): void {
    this.#cut()
    const doubled = Math.min(Math.max(this.slab.length * 2, SLAB_BYTES_MIN), SLAB_BYTES_MAX)
    this.slab = Buffer.allocUnsafeSlow(Math.max(doubled, neededBytes))
    this.#start = 0
    this.#at = 0
    assert(this.slab.length >= neededBytes)
  }

  #drop(): void {
    this.#pieces = []
    this.#start = this.#at
    this.#gatheredBytes = 0
  }
}
