// From the owner to the nodes, and from a node to its subscribers. A delivery of QoS >= 1 stays in the
// peer's row until the peer has taken it; when a link breaks the row goes on where the peer left off.
import type { Link } from '../link/link.ts'
import type { Message } from '../message.ts'
import type { Match } from '../topics/subscription.ts'
import type { Topic } from '../topics/topic.ts'
import type { Origin } from './origin.ts'
import type { Peer } from './peer.ts'
import { Pending } from './pending.ts'
import type { Router } from './router.ts'

export class Delivering {
  readonly #router: Router

  constructor(router: Router) {
    this.#router = router
  }

  /** QoS 0: sent if there is a way and room, else dropped and counted. */
  unacknowledged(peer: Peer, message: Message): void {
    const router = this.#router
    const link = peer.link
    if (
      link === null ||
      !peer.resumed ||
      peer.unsent > 0 ||
      link.bufferedBytes > router.options.linkBufferBytesMax
    ) {
      router.counters.droppedLinkFull += message.count
      return
    }
    link.deliver(message)
    router.counters.sentToNodes += message.count
  }

  /** QoS >= 1: `pending.remaining` must already count this peer. */
  acknowledged(peer: Peer, pending: Pending): void {
    peer.inflight.push(pending)
    peer.unsent++
    if (peer.unsent === 1) this.pump(peer)
  }

  /** Writes what is in the peer's row and not yet written, as long as there is room. */
  pump(peer: Peer): void {
    const link = peer.link
    if (link === null || !peer.resumed) return
    const { linkBufferBytesMax } = this.#router.options
    while (peer.unsent > 0 && link.bufferedBytes <= linkBufferBytesMax) {
      this.#send(link, peer.inflight[peer.inflight.length - peer.unsent]!)
      peer.unsent--
    }
  }

  /** Calls `settled` once every live member has taken all that was delivered to it so far. */
  barrier(settled: () => void): void {
    const pending = new Pending(null, null, 1, settled)
    for (const peer of this.#router.view.peers.values()) {
      pending.remaining++
      this.acknowledged(peer, pending)
    }
    this.release(pending)
  }

  /** The peer has taken the first `count` of its row. */
  taken(peer: Peer, count: number): void {
    while (peer.acked < count && peer.inflightCount > 0) this.release(peer.shiftInflight())
  }

  /** The peer told where its side of the row stands; what it has not taken is sent again, in order. */
  resume(peer: Peer, session: number, count: number): void {
    if (session === peer.session) this.taken(peer, count)
    peer.resumed = true
    peer.unsent = peer.inflightCount
    this.pump(peer)
  }

  /** The peer is gone: nobody waits for it any more. */
  abandon(peer: Peer): void {
    while (peer.inflightCount > 0) this.release(peer.shiftInflight())
  }

  /** One less to wait for. */
  release(pending: Pending): void {
    if (--pending.remaining > 0 || pending.abandoned) return
    if (pending.settled !== null) pending.settled()
    else this.#router.ordering.settled(pending, 0)
  }

  /** To the subscribers of this node. Returns how many matched; for one that was here before, or comes too late, 1. */
  local(topic: Topic<Peer>, message: Message): number {
    const router = this.#router
    if (message.origin !== null && !this.#isNew(topic, message)) return 1
    if (!this.#isInPlace(topic, message)) return 1
    const subscriptions = router.subscriptions
    if (topic.matchesVersion !== subscriptions.version) {
      topic.matches = subscriptions.match(topic.name)
      topic.matchesVersion = subscriptions.version
    }
    const matches = topic.matches
    if (message.retain) router.scanning.saw(message)
    if (message.count > 1) deliverRun(message, matches)
    else {
      for (let i = 0; i < matches.length; i++) {
        const match = matches[i]!
        match.subscriber.deliver(message, match, false)
      }
    }
    router.counters.delivered += matches.length * message.count
    return matches.length
  }

  /**
   * Notes its place in the topic's order. False if this node is past it: then it is replayed for a subscriber that is younger
   * than it; or an owner that was taken for dead has woken up, and at QoS 0 nobody waits for what it still says.
   */
  #isInPlace(topic: Topic<Peer>, message: Message): boolean {
    const { epoch, offset } = message
    const last = offset + message.count - 1
    if (epoch > topic.seenEpoch) {
      topic.seenEpoch = epoch
      topic.seenOffset = last
      this.#router.hybridClock.merge(epoch)
      return true
    }
    if (epoch === topic.seenEpoch && offset > topic.seenOffset) {
      topic.seenOffset = last
      return true
    }
    if (epoch < topic.seenEpoch && message.qos > 0) return true
    this.#router.counters.droppedStale += message.count
    return false
  }

  /**
   * False if it was delivered here before. Or if a younger one of its publisher was: then it was first published before
   * this node had a subscriber, and comes only because its owner died before all the others had it.
   */
  #isNew(topic: Topic<Peer>, message: Message): boolean {
    const { counters } = this.#router
    const origin = message.origin as Origin
    if (!origin.taken.add(message.sequence)) counters.duplicates += message.count
    else if (topic.isNext(origin, message.sequence)) return true
    else counters.droppedStale += message.count
    return false
  }

  #send(link: Link, pending: Pending): void {
    if (pending.message === null) link.barrier()
    else {
      link.deliver(pending.message)
      this.#router.counters.sentToNodes += pending.message.count
    }
  }
}

/** As a run to those who take runs, message by message to the others. */
function deliverRun(run: Message, matches: readonly Match[]): void {
  for (let i = 0; i < matches.length; i++) {
    const match = matches[i]!
    const { subscriber } = match
    if (subscriber.takesRuns === true) subscriber.deliver(run, match, false)
    else for (const message of run.singles()) subscriber.deliver(message, match, false)
  }
}
