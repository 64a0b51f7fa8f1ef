// The ring: key -> owner, replicas, and what moved between two rings.
export { hashKey, shardKey } from './hash.ts'
export { type Move, Moved, moves } from './moves.ts'
export { nodesMax, pointsMax, Ring, type RingNode } from './ring.ts'
