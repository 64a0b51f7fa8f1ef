// Which bytes are an MQTT string: well-formed UTF-8, no surrogates, no U+0000.
// Source: MQTT 5.0, 1.5.4; MQTT 3.1.1, 1.5.3.
import { isUtf8 } from 'node:buffer'

/** True if `start..end` is an MQTT string. [MQTT-1.5.4-1] [MQTT-1.5.4-2] (3.1.1: [MQTT-1.5.3-1], [MQTT-1.5.3-2]) */
export function isString(buffer: Uint8Array, start: number, end: number): boolean {
  let ascii = true
  for (let i = start; i < end; i++) {
    const byte = buffer[i]!
    if (byte === 0) return false
    if (byte > 0x7f) ascii = false
  }
  return ascii || isUtf8(buffer.subarray(start, end))
}

/** True if the string `start..end` has a wildcard, which neither topics nor response topics may. [MQTT-3.3.2-2] */
export function hasWildcard(buffer: Uint8Array, start: number, end: number): boolean {
  for (let i = start; i < end; i++) {
    const byte = buffer[i]!
    if (byte === 0x2b || byte === 0x23) return true
  }
  return false
}
