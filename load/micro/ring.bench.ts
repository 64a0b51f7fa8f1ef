// The ring: who owns a key, and what a change of membership costs.
import { hashKey } from '../../broker/ring/hash.ts'
import { moves } from '../../broker/ring/moves.ts'
import { Ring, type RingNode } from '../../broker/ring/ring.ts'
import type { Bench } from './bench.ts'

function membersOf(nodes: number): RingNode[] {
  return Array.from({ length: nodes }, (_, i) => ({ id: `10.0.${i >>> 8}.${i & 255}:7979` }))
}

function ringOf(nodes: number): Ring {
  return new Ring(membersOf(nodes))
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
    name: 'ring: owner of a key, 64 nodes',
    make() {
      const ring = ringOf(64)
      return times => {
        let sum = 0
        for (let i = 0; i < times; i++) sum += ring.owner(keys[i & 1023]!)!.length
        return sum
      }
    }
  },
  {
    name: 'ring: one node more than 1000',
    make() {
      const ring = ringOf(1000)
      const members = membersOf(1001)
      return times => {
        let points = 0
        for (let i = 0; i < times; i++) points += new Ring(members, 100, ring).points.length
        return points
      }
    }
  },
  {
    name: 'ring: what moves to one node more than 1000',
    make() {
      const before = ringOf(1000)
      const after = new Ring(membersOf(1001), 100, before)
      return times => {
        let moved = 0
        for (let i = 0; i < times; i++) moved += moves(before, after).length
        return moved
      }
    }
  },
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
