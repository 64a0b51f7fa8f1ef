// Which of two connections between the same two nodes becomes their link.
//
// When both dial at the same time, the node with the smaller id is the referee. It never has its own HELLO and
// its answer to the other's HELLO under way on two connections at once: while its dial has said HELLO it refuses the
// other's connection; while its answer is out, it refuses what its own dials lead to. The node with the larger id says
// yes to all, and takes what the referee leaves. So no link that was reported open is closed for another,
// unless its other end has lost it already: an acceptor that still has a link says so (`standing`, the number
// of the dialler's HELLO on it); a dialler that has it too refuses the new connection, one that has lost it goes on, and the
// new connection replaces the old.
import type { Hello, Refusal } from './handshake.ts'
import type { PeerState } from './peer-state.ts'

/** What an acceptor answers to a HELLO: null is yes. A dial of its own that has not said HELLO yet is given up for it. */
export function admitArrival(selfId: string, peer: PeerState, theirs: Hello, reply: Hello): Refusal | null {
  if (isReferee(selfId, theirs) && peer.dial !== null) {
    if (peer.dial.handshake !== null) return 'duplicate'
    peer.dial = null
  }
  if (peer.link?.peer.instance === theirs.instance) reply.standing = peer.theirAttempt
  return null
}

/** What a dialler makes of the answer to its HELLO: null is yes, and the link is open. */
export function admitAnswer(selfId: string, peer: PeerState, theirs: Hello): Refusal | null {
  if (peer.link?.peer.instance === theirs.instance) return 'duplicate'
  if (theirs.standing !== 0 && peer.stands(theirs.standing)) return 'duplicate'
  if (isReferee(selfId, theirs) && peer.hasArrivalOf(theirs.instance)) return 'duplicate'
  return null
}

function isReferee(selfId: string, theirs: Hello): boolean {
  return selfId < theirs.id
}
