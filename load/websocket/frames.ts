// WebSocket frames as this client writes them: whole, and masked with a key of zeroes, which leaves the
// payload as it is, so that a frame can be laid out once and patched in place.
// Source: RFC 6455, section 5.
import { Buffer } from 'node:buffer'

export const OPCODE = { text: 1, close: 8, ping: 9, pong: 10 } as const

const FINAL = 0x80
const MASKED = 0x80

/** A client's frame. */
export function clientFrame(opcode: number, payload: Uint8Array): Buffer {
  const { length } = payload
  const header = Buffer.alloc(length < 126 ? 6 : length < 65_536 ? 8 : 14)
  header[0] = FINAL | opcode
  if (length < 126) {
    header[1] = MASKED | length
  } else if (length < 65_536) {
    header[1] = MASKED | 126
    header.writeUInt16BE(length, 2)
  } else {
    header[1] = MASKED | 127
    header.writeBigUInt64BE(BigInt(length), 2)
  }
  return Buffer.concat([header, payload])
}
