// What every message of a load run carries at the head of its payload, so that the receiver can tell
// which it is and how long it was under way. A stream is one publisher's messages to one topic; its
// sequence counts from 0.
//
//   binary   0        4          8                  16         payload length
//            | stream | sequence | sent (f64, µs)   | filler … |   little endian
//
//   text     0        8          16                 32
//            | stream | sequence | sent (µs)        | filler … |   a letter a..p for each four bits, highest first

export type StampKind = 'binary' | 'text'

export const STAMP_BYTES: Readonly<Record<StampKind, number>> = { binary: 16, text: 32 }
export const STREAM_AT = 0
export const SEQUENCE_AT = 4
export const SENT_AT = 8
export const TEXT_SEQUENCE_AT = 8
export const TEXT_SENT_AT = 16

const LETTER_A = 0x61
const TWO_32 = 2 ** 32

const originUs = Number(process.hrtime.bigint()) / 1_000 - performance.now() * 1_000

/** Monotonic time in µs, the same for all threads and processes of one machine. */
export function nowUs(): number {
  return originUs + performance.now() * 1_000
}

/** Writes 32 bits as eight letters. */
export function writeLetters(bytes: Uint8Array, at: number, value: number): void {
  for (let i = 0; i < 8; i++) bytes[at + i] = LETTER_A + ((value >>> (28 - 4 * i)) & 15)
}

/** Reads eight letters as 32 bits without sign. */
export function readLetters(bytes: Uint8Array, at: number): number {
  let value = 0
  for (let i = 0; i < 8; i++) value = (value << 4) | ((bytes[at + i]! - LETTER_A) & 15)
  return value >>> 0
}

/** Writes a time of whole µs, below 2⁵³, as sixteen letters. */
export function writeTimeLetters(bytes: Uint8Array, at: number, us: number): void {
  writeLetters(bytes, at, Math.floor(us / TWO_32))
  writeLetters(bytes, at + 8, us % TWO_32)
}

export function readTimeLetters(bytes: Uint8Array, at: number): number {
  return readLetters(bytes, at) * TWO_32 + readLetters(bytes, at + 8)
}
