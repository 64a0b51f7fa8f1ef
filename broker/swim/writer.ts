// Appends numbers and text, big-endian, to bytes that grow as needed. The mirror of reader.ts.
import { ShoalError } from '../errors.ts'

const utf8 = new TextEncoder()

export class Writer {
  #bytes: Buffer
  #view: DataView
  #length = 0

  constructor(capacityBytes: number) {
    this.#bytes = Buffer.alloc(capacityBytes)
    this.#view = viewOf(this.#bytes)
  }

  get length(): number {
    return this.#length
  }

  /** Begins anew, in the same memory. */
  clear(): this {
    this.#length = 0
    return this
  }

  u8(value: number): void {
    const at = this.#grow(1)
    this.#view.setUint8(at, value)
  }

  u16(value: number): void {
    const at = this.#grow(2)
    this.#view.setUint16(at, value)
  }

  u32(value: number): void {
    const at = this.#grow(4)
    this.#view.setUint32(at, value)
  }

  /** An integer below 2^48. */
  u48(value: number): void {
    const at = this.#grow(6)
    this.#view.setUint16(at, Math.floor(value / 2 ** 32))
    this.#view.setUint32(at + 2, value % 2 ** 32)
  }

  f64(value: number): void {
    const at = this.#grow(8)
    this.#view.setFloat64(at, value)
  }

  bytes(value: Uint8Array): void {
    const at = this.#grow(value.length)
    this.#bytes.set(value, at)
  }

  /** Digits, two a byte. */
  hexadecimal(value: string): void {
    const at = this.#grow(value.length >>> 1)
    this.#bytes.write(value, at, 'hex')
  }

  /** At most 255 bytes of UTF-8, else LIMIT_EXCEEDED. */
  shortText(value: string): void {
    if (this.#ascii(value)) return
    const encoded = utf8.encode(value)
    if (encoded.length > 0xff) throw new ShoalError('LIMIT_EXCEEDED', { limit: 'text bytes', max: 0xff })
    this.u8(encoded.length)
    this.bytes(encoded)
  }

  /** At most 65,535 bytes of UTF-8, else LIMIT_EXCEEDED. */
  longText(value: string): void {
    const encoded = utf8.encode(value)
    if (encoded.length > 0xffff) throw new ShoalError('LIMIT_EXCEEDED', { limit: 'text bytes', max: 0xffff })
    this.u16(encoded.length)
    this.bytes(encoded)
  }

  /** What was written, in bytes of its own. */
  finish(): Uint8Array {
    return new Uint8Array(this.#bytes.subarray(0, this.#length))
  }

  /** Ids and most names are short and ASCII: byte by byte they cost a tenth of a TextEncoder. False: nothing was written. */
  #ascii(value: string): boolean {
    const { length } = value
    if (length > 0xff) return false
    const at = this.#grow(1 + length)
    const bytes = this.#bytes
    bytes[at] = length
    for (let i = 0; i < length; i++) {
      const code = value.charCodeAt(i)
      if (code > 0x7f) {
        this.#length = at
        return false
      }
      bytes[at + 1 + i] = code
    }
    return true
  }

  #grow(bytes: number): number {
    const at = this.#length
    this.#length += bytes
    if (this.#length > this.#bytes.length) {
      const larger = Buffer.alloc(Math.max(this.#length, 2 * this.#bytes.length))
      larger.set(this.#bytes)
      this.#bytes = larger
      this.#view = viewOf(larger)
    }
    return at
  }
}

function viewOf(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
