// WebSocket frames as this client writes them: whole, and masked with a key of zeroes, which leaves the
// payload as it is, so that a frame can be laid out once and patched in place.
// Source: RFC 6455, sections 4 and 5.
import { Buffer } from 'node:buffer'
import { randomBytes } from 'node:crypto'

export const OPCODE = { text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const
/** Where the head of a request or of an answer ends. */
export const HEAD_END = '\r\n\r\n'

const FINAL = 0x80
const MASKED = 0x80

/** The request that opens a WebSocket at `url`. */
export function upgradeRequest(url: string, subprotocol?: string): string {
  const { pathname, search, host } = new URL(url)
  const offered = subprotocol === undefined ? '' : `Sec-WebSocket-Protocol: ${subprotocol}\r\n`
  return (
    `GET ${pathname === '' ? '/' : pathname}${search} HTTP/1.1\r\nHost: ${host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
    `${offered}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString('base64')}${HEAD_END}`
  )
}

/** What goes before `length` bytes of payload. */
export function frameHeader(opcode: number, length: number): Buffer {
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
  return header
}

/** A client's frame. */
export function clientFrame(opcode: number, payload: Uint8Array): Buffer {
  return Buffer.concat([frameHeader(opcode, payload.length), payload])
}
