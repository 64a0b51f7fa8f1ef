// A message (or run) of QoS 1 or 2 that its owner has ordered but not every node has taken; or a barrier, which
// is a message of nothing, to learn that everything before it was taken.
import type { Message } from '../message.ts'
import type { Peer } from './peer.ts'

export class Pending {
  /** Null for a barrier. */
  message: Message | null
  /** Who sent it here and wants the acknowledgement; null: a client of this node. */
  from: Peer | null
  /** More who want it: the message came by several ways. */
  others: (Peer | null)[] | null = null
  /** Nodes that have not taken it yet, and one more while late subscribers may still announce themselves. */
  remaining: number
  /** For a barrier. */
  readonly settled: (() => void) | null
  /** The nodes it was delivered to when it was ordered; kept only while it may have to be replayed. */
  routes: readonly Peer[] | null = null
  /** Another owner has it now: its settling here means nothing. */
  abandoned = false

  constructor(message: Message | null, from: Peer | null, remaining: number, settled: (() => void) | null) {
    this.message = message
    this.from = from
    this.remaining = remaining
    this.settled = settled
  }
}
