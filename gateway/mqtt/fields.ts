// Goes through the fields of a packet, one after the other, in place; the first that is not there or not
// valid is remembered, and everything behind it is of no meaning.
// Source: MQTT 5.0, 1.5; MQTT 3.1.1, 1.5.
import { checkProperties, variableBytes, variableValue } from './properties.ts'
import { MALFORMED_PACKET, SUCCESS } from './reason-codes.ts'
import { isString } from './utf8.ts'

export class Fields {
  readonly buffer: Buffer
  readonly end: number
  /** Where the next field begins. */
  at: number
  /** Where the contents of the last string, binary or properties begin; they end at `at`. */
  from: number
  /** SUCCESS, or what is wrong with the first field that is wrong. */
  reason = SUCCESS

  constructor(buffer: Buffer, start: number, end: number) {
    this.buffer = buffer
    this.at = start
    this.from = start
    this.end = end
  }

  get done(): boolean {
    return this.at >= this.end || this.reason !== SUCCESS
  }

  refuse(reason: number): void {
    if (this.reason === SUCCESS) this.reason = reason
  }

  /** 0 when there is none left. */
  byte(): number {
    if (this.at < this.end) return this.buffer[this.at++]!
    this.refuse(MALFORMED_PACKET)
    return 0
  }

  two(): number {
    const high = this.byte()
    return (high << 8) | this.byte()
  }

  binary(): void {
    const length = this.two()
    this.from = this.at
    if (this.at + length > this.end) this.refuse(MALFORMED_PACKET)
    else this.at += length
  }

  string(): void {
    this.binary()
    if (!isString(this.buffer, this.from, this.at)) this.refuse(MALFORMED_PACKET)
  }

  /** The block of properties, judged for a packet (`IN_*`). */
  properties(packet: number): void {
    const bytes = variableBytes(this.buffer, this.at, this.end)
    const start = this.at + bytes
    const end = start + variableValue(this.buffer, this.at, bytes)
    this.from = this.at
    if (bytes === 0 || end > this.end || this.reason !== SUCCESS) return this.refuse(MALFORMED_PACKET)
    this.refuse(checkProperties(this.buffer, start, end, packet))
    this.from = start
    this.at = end
  }

  /** The last string. */
  text(): string {
    return this.buffer.toString('utf8', this.from, this.at)
  }

  /** A copy of the last string, binary or properties. */
  copy(): Buffer {
    return Buffer.from(this.buffer.subarray(this.from, this.at))
  }

  /** Refuses bytes that are left over. */
  finish(): number {
    if (this.at !== this.end) this.refuse(MALFORMED_PACKET)
    return this.reason
  }
}
