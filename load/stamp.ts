// What every message of a load run carries at the head of its payload, so that the receiver can
// tell which it is and how long it was under way.
//
//   0        4          8                  16            payload length
//   | stream | sequence | sent (f64, µs)   | filler …    |      little endian
//
// A stream is one publisher's messages to one topic; its sequence counts from 0.

export const STAMP_BYTES = 16
export const STREAM_AT = 0
export const SEQUENCE_AT = 4
export const SENT_AT = 8

const originUs = Number(process.hrtime.bigint()) / 1_000 - performance.now() * 1_000

/** Monotonic time in µs, the same for all threads and processes of one machine. */
export function nowUs(): number {
  return originUs + performance.now() * 1_000
}
