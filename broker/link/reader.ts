// Cuts the chunks of a duplex into frames. A frame that lies within one chunk is handed over where it lies;
// one that is split over chunks is put together once, in a buffer of its own.
import { ShoalError } from '../errors.ts'
import { HEADER_BYTES } from './frame.ts'

/** Takes frames one by one. The body is `buffer[start..end)`; it is never written to again, so views of it may be kept. */
export interface FrameSink {
  frame(type: number, buffer: Buffer, start: number, end: number): void
}

export class Reader {
  /** Who gets the next frame; may be replaced from within `frame`. */
  sink: FrameSink
  /** The longest body that is accepted; may be changed from within `frame`. */
  frameBytesMax: number
  bytesIn: number
  framesIn: number
  /** A frame that is split: its header, then its body so far. */
  readonly #header: Buffer
  #headerBytes: number
  #body: Buffer | null
  #bodyBytes: number
  #held: Buffer[] | null
  #closed: boolean

  constructor(sink: FrameSink, frameBytesMax: number) {
    this.sink = sink
    this.frameBytesMax = frameBytesMax
    this.bytesIn = 0
    this.framesIn = 0
    this.#header = Buffer.alloc(HEADER_BYTES)
    this.#headerBytes = 0
    this.#body = null
    this.#bodyBytes = 0
    this.#held = null
    this.#closed = false
  }

  /** Throws FRAME_TOO_LARGE, and what the sink throws; the reader must be closed then. */
  push(chunk: Buffer): void {
    this.bytesIn += chunk.length
    if (this.#held !== null) this.#held.push(chunk)
    else this.#consume(chunk)
  }

  /** No frame any more until `release`; what comes meanwhile is kept. */
  hold(): void {
    this.#held ??= []
  }

  release(): void {
    const held = this.#held
    this.#held = null
    for (const chunk of held ?? []) {
      if (this.#held === null) this.#consume(chunk)
      else (this.#held as Buffer[]).push(chunk)
    }
  }

  /** No frame any more. */
  close(): void {
    this.#closed = true
    this.#body = null
    this.#held = null
  }

  #consume(chunk: Buffer): void {
    const end = chunk.length
    let at = this.#body === null && this.#headerBytes === 0 ? 0 : this.#resume(chunk)
    while (!this.#closed && this.#held === null && end - at >= HEADER_BYTES) {
      const length = chunk[at]! | (chunk[at + 1]! << 8) | (chunk[at + 2]! << 16)
      if (length > this.frameBytesMax) throw tooLarge(length, this.frameBytesMax)
      const start = at + HEADER_BYTES
      if (start + length > end) break
      const type = chunk[at + 3]!
      at = start + length
      this.framesIn++
      this.sink.frame(type, chunk, start, at)
    }
    if (this.#closed || at === end) return
    if (this.#held !== null) {
      this.#held.unshift(chunk.subarray(at))
      return
    }
    this.#begin(chunk, at)
  }

  /** Keeps the part of a frame that a chunk ends with. */
  #begin(chunk: Buffer, start: number): void {
    const available = chunk.length - start
    this.#headerBytes = Math.min(available, HEADER_BYTES)
    chunk.copy(this.#header, 0, start, start + this.#headerBytes)
    if (this.#headerBytes < HEADER_BYTES) return
    this.#openBody()
    this.#bodyBytes = chunk.copy(this.#body!, 0, start + HEADER_BYTES)
  }

  /** Goes on with a split frame; returns where in the chunk it ends. */
  #resume(chunk: Buffer): number {
    let at = 0
    if (this.#body === null) {
      at = chunk.copy(this.#header, this.#headerBytes, 0, HEADER_BYTES - this.#headerBytes)
      this.#headerBytes += at
      if (this.#headerBytes < HEADER_BYTES) return at
      this.#openBody()
    }
    const body = this.#body!
    const copied = chunk.copy(body, this.#bodyBytes, at)
    this.#bodyBytes += copied
    if (this.#bodyBytes < body.length) return at + copied
    this.#body = null
    this.#bodyBytes = 0
    this.#headerBytes = 0
    this.framesIn++
    this.sink.frame(this.#header[3]!, body, 0, body.length)
    return at + copied
  }

  // Untouched pages of the buffer cost nothing, so a length alone, without the bytes, holds no memory.
  #openBody(): void {
    const length = this.#header.readUIntLE(0, 3)
    if (length > this.frameBytesMax) throw tooLarge(length, this.frameBytesMax)
    this.#body = Buffer.allocUnsafe(length)
    this.#bodyBytes = 0
  }
}

function tooLarge(bytes: number, bytesMax: number): ShoalError {
  return new ShoalError('FRAME_TOO_LARGE', { bytes, bytesMax })
}
