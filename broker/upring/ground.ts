// What an upring stands on: a place in a cluster, its ring, and a link to every member. A node of its own
// (cluster-ground.ts), or a broker (broker-ground.ts) that shares what it has.
import type { Identity, Reply } from '../link/handlers.ts'
import type { Link } from '../link/link.ts'
import type { Ring, RingNode } from '../ring/ring.ts'
import type { Member } from '../swim/member.ts'

/** What the ground tells whoever stands on it. Called from within the ground's own events; must not throw. */
export interface GroundEvents {
  /** The ring, or members, their phases or instances may have changed. */
  changed(): void
  linkOpened(link: Link): void
  request(peer: Identity, name: string, body: unknown, reply: Reply): void
  fire(peer: Identity, name: string, body: unknown): void
}

export interface Ground {
  /** `host:port`; empty before `start` has settled. */
  readonly id: string
  /** Owns nothing, ever. */
  readonly client: boolean
  readonly ring: Ring
  /** All that are not dead and not gone, this node included. */
  members(): readonly Member[]
  isServing(member: Member): boolean
  link(id: string): Link | null
  /** A ring of other nodes, made as `ring` is. */
  ringOf(nodes: readonly RingNode[]): Ring

  /** Settles when the node has joined, and owns nothing yet. Rejects: PORT_IN_USE, CLOSED, OPTION_INVALID. */
  start(events: GroundEvents): Promise<void>
  /** Settles when it owns its part of the ring, and every member has heard of that. Rejects: CLOSED. */
  serve(): Promise<void>
  /** Joins by these addresses; settles when links to all members are up and the ring has changed. Rejects: JOIN_FAILED, CLOSED. */
  join(addresses: readonly string[]): Promise<void>
  /** Leaves the ring; settles when every member has heard of it. The links stay. A start that is under way gives up. */
  leave(): Promise<void>
  /** Lets links drain, and closes all. */
  stop(): Promise<void>
}
