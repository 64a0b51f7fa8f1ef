// `shoal/hashring`: gossip that drives a consistent-hash ring, without a protocol of requests. It tells who owns a key,
// and when that changes; what to do with it is the program's business.
//
//     import { hashring } from 'shoal/hashring'
//
//     const ring = hashring({ base: ['127.0.0.1:7979'] })
//     ring.on('up', () => console.log(ring.whoami(), ring.lookup('hello')?.id))
//     ring.on('move', ({ start, end, to }) => console.log(`hashes ${start + 1} to ${end} are now with ${to?.id}`))
export { ClusterKeys } from '../cluster-keys.ts'
export { ShoalError } from '../errors.ts'
export type { Key } from '../ring/tracker.ts'
export type { MoveEvent, StealEvent } from '../upring/changes.ts'
export type { Peer, PeerMeta } from '../upring/peer.ts'
export { Hashring, type HashringEvents, type HashringOptions, hashring } from './hashring.ts'
