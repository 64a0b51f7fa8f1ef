// Takes numbers and text, big-endian, off bytes that anyone may have sent: whatever they are, it
// either answers or throws PACKET_INVALID, and never reads beyond them. The mirror of writer.ts.
import { ShoalError } from '../errors.ts'

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

export class Reader {
  readonly #bytes: Buffer
  readonly #view: DataView
  offset = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  get left(): number {
    return this.#bytes.length - this.offset
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1))
  }

  u16(): number {
    return this.#view.getUint16(this.#take(2))
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4))
  }

  u48(): number {
    const at = this.#take(6)
    return this.#view.getUint16(at) * 2 ** 32 + this.#view.getUint32(at + 2)
  }

  f64(): number {
    return this.#view.getFloat64(this.#take(8))
  }

  /** A view, not a copy. */
  bytes(length: number): Uint8Array {
    const at = this.#take(length)
    return this.#bytes.subarray(at, at + length)
  }

  /** As lower-case digits, two a byte. */
  hexadecimal(length: number): string {
    const at = this.#take(length)
    return this.#bytes.toString('hex', at, at + length)
  }

  shortText(): string {
    return this.#text(this.u8())
  }

  longText(): string {
    return this.#text(this.u16())
  }

  invalid(reason: string): ShoalError {
    return new ShoalError('PACKET_INVALID', { reason, offset: this.offset })
  }

  #isAscii(start: number, end: number): boolean {
    for (let i = start; i < end; i++) if (this.#bytes[i]! > 0x7f) return false
    return true
  }

  #take(length: number): number {
    if (length > this.left) throw this.invalid('truncated')
    const at = this.offset
    this.offset += length
    return at
  }

  #text(length: number): string {
    const at = this.#take(length)
    // Nearly all of it is ASCII, and a TextDecoder costs ten times as much.
    if (this.#isAscii(at, this.offset)) return this.#bytes.toString('latin1', at, this.offset)
    try {
      return utf8.decode(this.#bytes.subarray(at, this.offset))
    } catch (cause) {
      throw new ShoalError('PACKET_INVALID', { reason: 'not UTF-8', offset: this.offset }, cause)
    }
  }
}
