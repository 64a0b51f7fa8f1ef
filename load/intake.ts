// The one receive buffer of a thread. All its sockets read into the same memory, and what a read's end
// cuts off is put back in front of the next read, so that decoders never see a seam.
//
//   | headroom ........ carried | what the kernel just read ........ |
//                       ^ decoding starts here
import { Buffer } from 'node:buffer'

const READ_BYTES = 128 * 1024

export class Intake {
  /** Bytes of the longest packet or line that may be cut by a read's end. */
  readonly headroom: number
  readonly bytes: Buffer
  readonly view: DataView
  /** Where the kernel writes. */
  readonly read: Buffer

  constructor(headroom: number) {
    this.headroom = headroom
    this.bytes = Buffer.from(new ArrayBuffer(headroom + READ_BYTES))
    this.view = new DataView(this.bytes.buffer)
    this.read = this.bytes.subarray(headroom)
  }
}

/** What a socket's last read left over. */
export class Remainder {
  #bytes: Buffer = Buffer.alloc(0)
  #length = 0

  /** Puts the remainder in front of what was just read; returns where decoding starts. */
  restore(intake: Intake): number {
    const at = intake.headroom - this.#length
    if (this.#length > 0) this.#bytes.copy(intake.bytes, at, 0, this.#length)
    return at
  }

  /** Keeps `at..end`, at most the headroom, for the next read. */
  keep(intake: Intake, at: number, end: number): void {
    this.#length = end - at
    if (this.#length === 0) return
    if (this.#bytes.length < this.#length)
      this.#bytes = Buffer.allocUnsafeSlow(Math.min(2 * this.#length, intake.headroom))
    intake.bytes.copy(this.#bytes, 0, at, end)
  }
}
