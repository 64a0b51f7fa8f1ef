// What stands between a packet and the wire: every packet and every push-pull state is sealed when
// it leaves and opened when it comes in. Without keys, the seal is a checksum: UDP's own has 16 bits
// and may be off, and a flipped bit in an incarnation would otherwise be believed by the whole cluster.
import { crc32 } from 'node:zlib'
import { ShoalError } from '../errors.ts'

export interface Opened {
  readonly packet: Uint8Array
  /** The instance that sealed it: who may be told so. Empty where the seal does not tell. */
  readonly sender: string
  /** False: meant for another process, such as the one that was here before. Authentic, but nobody knows how old. */
  readonly isForUs: boolean
}

export interface Seal {
  /** How much longer a sealed packet is. */
  readonly overheadBytes: number
  /** The packet as it goes on the wire, for the process of that instance; anyone's if it is not given. */
  seal(packet: Uint8Array, receiver?: string): Uint8Array
  /** The packet in what came off the wire. Throws PACKET_INVALID (`reason`) if it is not as it was sealed. */
  open(sealed: Uint8Array): Opened
}

/** The first byte of a sealed packet; that of a packet with a checksum is the version of the codec, which is lower. */
export const SEALED = 0xa1

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
      const reason = sealed[0] === SEALED ? 'sealed with a key, and this node has none' : 'wrong checksum'
      throw new ShoalError('PACKET_INVALID', { reason })
    }
    return { packet, sender: '', isForUs: true }
  }
}
