// What stands between a packet and the wire: every packet and every push-pull state is sealed when
// it leaves and opened when it comes in. Without keys, the seal is a checksum: UDP's own has 16 bits
// and may be off, and a flipped bit in an incarnation would otherwise be believed by the whole cluster.
import { crc32 } from 'node:zlib'
import { ShoalError } from '../errors.ts'

export interface Seal {
  /** How much longer a sealed packet is. */
  readonly overheadBytes: number
  /** The packet as it goes on the wire. */
  seal(packet: Uint8Array): Uint8Array
  /** The packet in what came off the wire. Throws PACKET_INVALID if it is not as it was sealed. */
  open(sealed: Uint8Array): Uint8Array
}

/** CRC-32 after the packet, big-endian. Finds damage, not malice. */
export const checksumSeal: Seal = {
  overheadBytes: 4,

  seal(packet) {
    const sealed = new Uint8Array(packet.length + 4)
    sealed.set(packet)
    new DataView(sealed.buffer).setUint32(packet.length, crc32(packet))
    return sealed
  },

  open(sealed) {
    if (sealed.length < 4) throw new ShoalError('PACKET_INVALID', { reason: 'truncated' })
    const packet = sealed.subarray(0, sealed.length - 4)
    const view = new DataView(sealed.buffer, sealed.byteOffset, sealed.byteLength)
    if (view.getUint32(packet.length) !== crc32(packet)) {
      throw new ShoalError('PACKET_INVALID', { reason: 'wrong checksum' })
    }
    return packet
  }
}
