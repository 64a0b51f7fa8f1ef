// The ring: who owns a key.
import { hashKey } from '../../broker/ring/hash.ts'
import { Ring } from '../../broker/ring/ring.ts'
import type { Bench } from './bench.ts'

function ringOf(nodes: number): Ring {
  return new Ring(Array.from({ length: nodes }, (_, i) => ({ id: `10.0.${i >>> 8}.${i & 255}:7979` })))
}

const keys = Array.from({ length: 1024 }, (_, i) => `plant/line/${i}/state`)

export const ringBenches: Bench[] = [
  ...[3, 100].map(nodes => ({
    name: `ring: owner of a hash, ${nodes} nodes`,
    make() {
      const ring = ringOf(nodes)
      const hashes = Uint32Array.from(keys, key => hashKey(key))
      return (times: number) => {
        let sum = 0
        for (let i = 0; i < times; i++) sum += ring.ownerIndex(hashes[i & 1023]!)
        return sum
      }
    }
  })),
  {
    name: 'ring: hash of a topic',
    make() {
      return times => {
        let sum = 0
        for (let i = 0; i < times; i++) sum ^= hashKey(keys[i & 1023]!)
        return sum
      }
    }
  }
]
