// The one receive buffer of a thread. All its sockets read into the same memory, and a packet cut off
// at a read's end is put back in front of the next read, so that the decoder never sees a seam.
//
//   | headroom ........ carried | what the kernel just read ........ |
//                       ^ decoding starts here
import { Buffer } from 'node:buffer'

const READ_BYTES = 128 * 1024

export class Intake {
  /** Bytes of the longest packet that may be cut by a read's end. */
  readonly headroom: number
  readonly bytes: Buffer
  readonly view: DataView
  /** Where the kernel writes. */
  readonly read: Buffer
  /** Packet ids to acknowledge, gathered during one read, as ready PUBACK packets. */
  readonly acknowledgements: Buffer

  constructor(packetBytesMax: number) {
    this.headroom = packetBytesMax
    this.bytes = Buffer.from(new ArrayBuffer(packetBytesMax + READ_BYTES))
    this.view = new DataView(this.bytes.buffer)
    this.read = this.bytes.subarray(packetBytesMax)
    this.acknowledgements = Buffer.from(new ArrayBuffer(4 * 4096))
    for (let at = 0; at < this.acknowledgements.length; at += 4)
      this.acknowledgements.writeUInt16BE(0x4002, at)
  }
}
