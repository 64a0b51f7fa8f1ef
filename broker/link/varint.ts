// Unsigned integers of up to 53 bits in as few bytes as they need: seven bits a byte, lowest first, the
// top bit set on all but the last (LEB128). JavaScript's bit operators end at 32 bits, so a larger number
// is written as its low 28 bits (four bytes) and the rest (at most 25 bits, four bytes).
import { ShoalError } from '../errors.ts'

/** The longest encoding, in bytes. */
export const VARINT_BYTES_MAX = 8

const LOW = 2 ** 28
const HIGH_BITS = 25

/** Writes `value`, an integer in 0..2^53-1, at `at`; returns where it ends. The caller has made room. */
export function writeVarint(target: Uint8Array, at: number, value: number): number {
  if (value < 128) {
    target[at] = value
    return at + 1
  }
  if (value < LOW) return writeSmall(target, at, value)
  const low = value % LOW
  target[at] = low | 128
  target[at + 1] = (low >>> 7) | 128
  target[at + 2] = (low >>> 14) | 128
  target[at + 3] = (low >>> 21) | 128
  return writeSmall(target, at + 4, (value - low) / LOW)
}

function writeSmall(target: Uint8Array, start: number, value: number): number {
  let at = start
  let rest = value
  while (rest > 127) {
    target[at++] = rest | 128
    rest >>>= 7
  }
  target[at++] = rest
  return at
}

/** Reads fields of one frame in order. Every read past the end throws FRAME_INVALID. */
export class Cursor {
  buffer: Buffer
  at: number
  end: number

  constructor() {
    this.buffer = Buffer.alloc(0)
    this.at = 0
    this.end = 0
  }

  set(buffer: Buffer, start: number, end: number): this {
    this.buffer = buffer
    this.at = start
    this.end = end
    return this
  }

  byte(): number {
    if (this.at >= this.end) throw truncated('byte')
    return this.buffer[this.at++]!
  }

  varint(): number {
    if (this.at < this.end) {
      const first = this.buffer[this.at]!
      if (first < 128) {
        this.at++
        return first
      }
    }
    return this.#long()
  }

  /** A view of the next `length` bytes. */
  bytes(length: number): Buffer {
    if (length > this.end - this.at) throw truncated('bytes')
    const start = this.at
    this.at += length
    return this.buffer.subarray(start, this.at)
  }

  /** A string of UTF-8 with its length in bytes before it, at most `bytesMax`. */
  string(bytesMax: number): string {
    const length = this.varint()
    if (length > bytesMax) throw new ShoalError('FRAME_INVALID', { field: 'string', bytes: length, bytesMax })
    return utf8(this.bytes(length))
  }

  /** All that is left, as a view. */
  rest(): Buffer {
    return this.bytes(this.end - this.at)
  }

  /** Throws if anything is left. */
  finish(): void {
    if (this.at !== this.end) throw new ShoalError('FRAME_INVALID', { surplusBytes: this.end - this.at })
  }

  #long(): number {
    let value = 0
    let shift = 0
    while (shift < 28) {
      const next = this.byte()
      value |= (next & 127) << shift
      if (next < 128) return value
      shift += 7
    }
    let high = 0
    shift = 0
    while (shift < 28) {
      const next = this.byte()
      high |= (next & 127) << shift
      if (next < 128) {
        if (high >>> HIGH_BITS !== 0) break
        return value + high * LOW
      }
      shift += 7
    }
    throw new ShoalError('FRAME_INVALID', { field: 'varint', bitsMax: 53 })
  }
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Decodes strictly: what is not UTF-8 throws FRAME_INVALID, since it would not come back as the same bytes. */
export function utf8(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes)
  } catch (error) {
    throw new ShoalError('FRAME_INVALID', { field: 'string', encoding: 'utf-8' }, error)
  }
}

function truncated(field: string): ShoalError {
  return new ShoalError('FRAME_INVALID', { field, truncated: true })
}
