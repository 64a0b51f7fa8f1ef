// What a packet of gossip costs to seal and to open: with a checksum, and with a cluster key.
import { ClusterKeys } from '../../broker/cluster-keys.ts'
import { checksumSeal, type Seal } from '../../broker/swim/seal.ts'
import { KeyedSeal } from '../../broker/swim/seal-keyed.ts'
import type { Bench } from './bench.ts'

const [A, B] = ['a'.repeat(16), 'b'.repeat(16)] as const
const keys = new ClusterKeys(['1'.repeat(64)])
/** A ping; a packet full of rumours. */
const SIZES = [80, 1300]

function sealOf(kind: 'checksum' | 'key', instance: string): Seal {
  return kind === 'checksum' ? checksumSeal : new KeyedSeal({ keys, instance, purpose: 'packet' })
}

function sealBench(kind: 'checksum' | 'key', bytes: number): Bench {
  return {
    name: `gossip: ${bytes} bytes sealed with a ${kind}`,
    make() {
      const seal = sealOf(kind, A)
      const packet = Buffer.alloc(bytes, 'x')
      return times => {
        let last: Uint8Array = packet
        for (let i = 0; i < times; i++) last = seal.seal(packet, B)
        return last
      }
    }
  }
}

/** Since a packet is opened once, each is sealed for it. */
function tripBench(kind: 'checksum' | 'key', bytes: number): Bench {
  return {
    name: `gossip: ${bytes} bytes sealed and opened with a ${kind}`,
    make() {
      const [from, to] = [sealOf(kind, A), sealOf(kind, B)]
      const packet = Buffer.alloc(bytes, 'x')
      return times => {
        let last: Uint8Array = packet
        for (let i = 0; i < times; i++) last = to.open(from.seal(packet, B)).packet
        return last
      }
    }
  }
}

export const sealBenches: readonly Bench[] = (['checksum', 'key'] as const).flatMap(kind =>
  SIZES.flatMap(bytes => [sealBench(kind, bytes), tripBench(kind, bytes)])
)
