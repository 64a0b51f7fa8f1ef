// A byte stream inside a WebSocket, as MQTT has it: frames are taken off where they lie, by moving their
// payloads together, so that whoever decodes the stream sees no frames.
//
//   read    | head | payload … | head | pay        (a head may be cut off, too)
//   after   | payload … pay |
//
// Source: RFC 6455, sections 4.2.2 and 5.2.
import { Buffer } from 'node:buffer'
import { ShoalError } from '../../broker/errors.ts'
import { HEAD_END, OPCODE } from './frames.ts'

/** The longest answer to an upgrade. */
const ANSWER_BYTES_MAX = 16 * 1024
const CONTROL_BYTES_MAX = 125
const CONTROL_LEAST = 8
const HEADER_BYTES_MAX = 10

export interface TunnelEvents {
  upgraded(): void
  pinged(payload: Buffer): void
  /** The peer refused the upgrade, broke the protocol, or closed. */
  failed(error: ShoalError): void
}

export class Tunnel {
  readonly #events: TunnelEvents
  #answer = ''
  #isUpgraded = false
  readonly #header = Buffer.alloc(HEADER_BYTES_MAX)
  #headerBytes = 0
  #opcode = 0
  /** Bytes of the current frame's payload that have not come yet. */
  #left = 0
  readonly #control = Buffer.alloc(CONTROL_BYTES_MAX)
  #controlBytes = 0

  constructor(events: TunnelEvents) {
    this.#events = events
  }

  /** Moves the payloads in `bytes[start..end)` together at `start`; returns where they end. */
  unwrap(bytes: Buffer, start: number, end: number): number {
    let from = this.#isUpgraded ? start : this.#takeAnswer(bytes, start, end)
    let to = start
    while (from < end) {
      if (this.#left === 0) {
        this.#takeHeaderByte(bytes[from++]!)
        continue
      }
      const next = Math.min(end, from + this.#left)
      if (this.#opcode >= CONTROL_LEAST) {
        this.#controlBytes += bytes.copy(this.#control, this.#controlBytes, from, next)
      } else {
        bytes.copyWithin(to, from, next)
        to += next - from
      }
      this.#left -= next - from
      from = next
      if (this.#left === 0 && this.#opcode >= CONTROL_LEAST) this.#takeControl()
    }
    return to
  }

  /** Reads the answer to the upgrade; returns where the frames begin. */
  #takeAnswer(bytes: Buffer, start: number, end: number): number {
    const before = this.#answer.length
    this.#answer += bytes.toString('latin1', start, end)
    const headEnd = this.#answer.indexOf(HEAD_END)
    if (headEnd === -1) {
      if (this.#answer.length > ANSWER_BYTES_MAX) this.#fail('PEER_REFUSED', { why: 'no WebSocket' })
      return end
    }
    const status = this.#answer.slice(0, this.#answer.indexOf('\r\n'))
    this.#answer = ''
    if (!status.startsWith('HTTP/1.1 101 ')) {
      this.#fail('PEER_REFUSED', { status })
      return end
    }
    this.#isUpgraded = true
    this.#events.upgraded()
    return start + headEnd + HEAD_END.length - before
  }

  #takeHeaderByte(byte: number): void {
    const header = this.#header
    header[this.#headerBytes++] = byte
    if (this.#headerBytes < 2) return
    const short = header[1]! & 0x7f
    const wanted = short < 126 ? 2 : short === 126 ? 4 : 10
    if (this.#headerBytes < wanted) return
    this.#headerBytes = 0
    this.#opcode = header[0]! & 0x0f
    this.#left =
      short < 126 ? short : short === 126 ? header.readUInt16BE(2) : Number(header.readBigUInt64BE(2))
    if (this.#opcode < CONTROL_LEAST) return
    this.#controlBytes = 0
    if (this.#left > CONTROL_BYTES_MAX) this.#fail('FRAME_INVALID', { controlBytes: this.#left })
    else if (this.#left === 0) this.#takeControl()
  }

  #takeControl(): void {
    const payload = Buffer.from(this.#control.subarray(0, this.#controlBytes))
    if (this.#opcode === OPCODE.ping) this.#events.pinged(payload)
    if (this.#opcode !== OPCODE.close) return
    this.#fail('PEER_GONE', { code: payload.length >= 2 ? payload.readUInt16BE(0) : 1005 })
  }

  #fail(code: 'PEER_REFUSED' | 'PEER_GONE' | 'FRAME_INVALID', fields: Record<string, unknown>): void {
    this.#events.failed(new ShoalError(code, fields))
  }
}
