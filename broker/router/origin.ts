// What this node remembers of one instance of a node (itself included) by which its messages are
// recognised when they come a second time. Outlives the link, and for a while the instance.
import type { Message, OriginName } from '../message.ts'
import type { Peer } from './peer.ts'
import type { Pending } from './pending.ts'
import { SequenceMap } from './sequence-map.ts'
import { SequenceWindow } from './sequence-window.ts'

/** A message this node has sent to another that it believed to be the owner, and has no acknowledgement for. */
export class Outgoing {
  readonly message: Message
  /** Who has it now; null: nobody, it waits here for a better view of the ring. */
  via: Peer | null = null
  /** Who wants the acknowledgement; null: a client of this node. */
  from: Peer | null
  /** It waits behind a fence, in the publisher's queue. */
  held = false

  constructor(message: Message, from: Peer | null) {
    this.message = message
    this.from = from
  }
}

/** A Map, or for the messages of this node a SequenceMap. */
export interface OutgoingTable extends Iterable<[number, Outgoing]> {
  readonly size: number
  get(sequence: number): Outgoing | undefined
  set(sequence: number, outgoing: Outgoing): unknown
  delete(sequence: number): void
}

export class Origin implements OriginName {
  readonly instance: string
  /** Numbers that this node has ordered, as owner. */
  readonly ordered = new SequenceWindow()
  /** Numbers that this node's subscribers have got. */
  readonly taken = new SequenceWindow()
  /** Ordered here, not yet taken by all. Numbers that no honest node has under way at once are not noted. */
  readonly pending = new SequenceMap<Pending>(SequenceWindow.size)
  /** Sent on from here, not yet acknowledged; in the order in which they came. */
  readonly outgoing: OutgoingTable

  /** The row of deliveries that this instance, as owner, sends here: which one, and how many were taken. */
  deliverSession = 0
  deliverTaken = 0

  /** Peers that stand for this instance now; while there is one it is not forgotten. */
  users = 0

  constructor(instance: string, outgoing: OutgoingTable = new Map()) {
    this.instance = instance
    this.outgoing = outgoing
  }
}

export class OriginTable {
  readonly #origins = new Map<string, Origin>()
  readonly #originsMax: number

  /** `self` is this node's own; it is never forgotten, since a Peer stands for it. */
  constructor(self: Origin, originsMax = 512) {
    this.#originsMax = originsMax
    this.#origins.set(self.instance, self)
  }

  /** The one object for an instance. The longest known are forgotten first, when they have nothing under way. */
  get(instance: string): Origin {
    let origin = this.#origins.get(instance)
    if (origin === undefined) {
      if (this.#origins.size >= this.#originsMax) this.#forgetOne()
      origin = new Origin(instance)
      this.#origins.set(instance, origin)
    }
    return origin
  }

  values(): IterableIterator<Origin> {
    return this.#origins.values()
  }

  #forgetOne(): void {
    for (const [instance, origin] of this.#origins) {
      if (origin.users > 0 || origin.pending.size > 0 || origin.outgoing.size > 0) continue
      this.#origins.delete(instance)
      return
    }
  }
}
