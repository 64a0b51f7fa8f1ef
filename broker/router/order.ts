// The owner's part: gives each message its place in the topic's order, retains it, sends it to every
// node with a subscriber, and tells the publisher when all have taken it. After a change of owner it
// keeps messages for subscribers that have not announced themselves here yet (DESIGN: guarantee 3).
import type { Message } from '../message.ts'
import { isWildcard, matches } from '../topics/filter.ts'
import type { Topic } from '../topics/topic.ts'
import type { Origin } from './origin.ts'
import type { Peer } from './peer.ts'
import { Pending } from './pending.ts'
import type { Router } from './router.ts'

const REASON_SUCCESS = 0x00
const REASON_NO_SUBSCRIBERS = 0x10
/** Not an acknowledgement: see publish.ts. */
const REASON_MOVED = 0x9d

export class Ordering {
  readonly #router: Router
  /** Messages of gained topics since the last agreement, for late subscribers; in the topic's order. */
  readonly #replay = new Map<Topic<Peer>, Pending[]>()
  #replayCount = 0
  /** Acknowledgements held back until all nodes agree. */
  #heldBack: Pending[] = []
  /** Messages of QoS >= 1 that were ordered here and not yet taken by all. */
  unsettled = 0
  readonly #gated = new Set<Topic<Peer>>()
  #gatedCount = 0

  constructor(router: Router) {
    this.#router = router
  }

  /** Messages that wait for an old owner to finish. */
  get gatedCount(): number {
    return this.#gatedCount
  }

  /** Messages kept for subscribers that may be late. */
  get replayCount(): number {
    return this.#replayCount
  }

  /**
   * Orders a message of a topic that this node owns. `from` is the node that sent it here, null for a client of this
   * node. While an old owner may still be ordering, the message waits; and while others wait, behind them, even if the
   * gate has opened in the meantime.
   */
  accept(topic: Topic<Peer>, message: Message, from: Peer | null): void {
    if (topic.gated || topic.gate !== null) {
      if (message.qos === 0 && this.#gatedCount + message.count > this.#router.options.replayMax) {
        this.#router.counters.droppedQueueFull += message.count
        return
      }
      topic.gate ??= []
      topic.gate.push({ message, from })
      this.#gated.add(topic)
      this.#gatedCount += message.count
      return
    }
    if (message.qos > 0 && message.origin !== null && this.#isDuplicate(message, from)) return
    this.#order(topic, message, from)
  }

  #isDuplicate(message: Message, from: Peer | null): boolean {
    const router = this.#router
    const origin = message.origin as Origin
    if (origin.ordered.add(message.sequence)) return false
    router.counters.duplicates += message.count
    const pending = origin.pending.get(message.sequence)
    if (pending === undefined) this.acknowledge(message, from, REASON_SUCCESS)
    else if (pending.from !== from) {
      pending.others ??= []
      if (!pending.others.includes(from)) pending.others.push(from)
    }
    return true
  }

  #order(topic: Topic<Peer>, message: Message, from: Peer | null): void {
    const router = this.#router
    if (topic.epoch === 0) {
      topic.epoch = router.epoch()
      topic.offset = 0
    }
    message.place(topic.epoch, topic.offset + 1)
    topic.offset += message.count
    router.counters.ordered += message.count
    if (message.retain) router.retain(message, router.hybridClock.next())
    if (topic.routesVersion !== router.routes.version) {
      topic.routes = []
      router.routes.match(topic.name, topic.routes)
      topic.routesVersion = router.routes.version
    }
    if (message.qos === 0) this.#orderUnacknowledged(topic, message)
    else this.#orderAcknowledged(topic, message, from)
  }

  #orderUnacknowledged(topic: Topic<Peer>, message: Message): void {
    const { delivering } = this.#router
    const routes = topic.routes
    if (topic.gained) this.#keep(topic, new Pending(message, null, 0, null))
    for (let i = 0; i < routes.length; i++) delivering.unacknowledged(routes[i]!, message)
    delivering.local(topic, message)
  }

  #orderAcknowledged(topic: Topic<Peer>, message: Message, from: Peer | null): void {
    const { delivering, publishing } = this.#router
    const routes = topic.routes
    if (routes.length === 0 && !topic.gained) {
      const count = delivering.local(topic, message)
      this.acknowledge(message, from, count > 0 ? REASON_SUCCESS : REASON_NO_SUBSCRIBERS)
      return
    }
    // It may be sent on to yet another owner, so it needs a name by which receivers know it again.
    if (topic.gained && message.origin === null) {
      publishing.name(message)
      this.#originOf(message)!.ordered.add(message.sequence)
    }
    const pending = new Pending(message, from, routes.length, null)
    this.unsettled += message.count
    this.#originOf(message)?.pending.set(message.sequence, pending)
    if (topic.gained) {
      pending.remaining++
      this.#heldBack.push(pending)
      this.#keep(topic, pending)
    }
    for (let i = 0; i < routes.length; i++) delivering.acknowledged(routes[i]!, pending)
    delivering.local(topic, message)
  }

  /** Every node has taken it. */
  settled(pending: Pending, reason: number): void {
    const message = pending.message!
    this.unsettled -= message.count
    this.#originOf(message)?.pending.delete(message.sequence)
    this.acknowledge(message, pending.from, reason)
    for (const other of pending.others ?? []) this.acknowledge(message, other, reason)
    if (this.#router.publishing.isAwaited) this.#router.publishing.drained()
  }

  /** Tells whoever sent it here. A node whose link is down will ask again. */
  acknowledge(message: Message, from: Peer | null, reason: number): void {
    if (message.qos === 0) return
    const { count, sequence } = message
    if (from === null) message.receipt?.published(message.token, reason, count)
    else from.link?.publishAck(message.origin!, sequence, sequence + count - 1, reason)
  }

  /** A node has a new route: it gets what it may have missed while the route was on its way to this owner. */
  replay(filter: string, peer: Peer): void {
    if (this.#replay.size === 0) return
    if (isWildcard(filter)) {
      for (const topic of this.#replay.keys()) if (matches(filter, topic.name)) this.#replayTopic(topic, peer)
    } else this.#replayTopic(this.#router.topics.get(filter), peer)
  }

  #replayTopic(topic: Topic<Peer>, peer: Peer): void {
    const { delivering } = this.#router
    for (const pending of this.#replay.get(topic) ?? []) {
      if (pending.routes!.includes(peer)) continue
      pending.routes = [...pending.routes!, peer]
      const message = pending.message!
      if (message.qos === 0) delivering.unacknowledged(peer, message)
      else if (pending.remaining > 0) {
        pending.remaining++
        delivering.acknowledged(peer, pending)
      }
    }
  }

  /** All nodes agree: nobody is late any more. */
  agreed(): void {
    for (const topic of this.#replay.keys()) topic.kept = false
    this.#replay.clear()
    this.#replayCount = 0
    const heldBack = this.#heldBack
    this.#heldBack = []
    for (const pending of heldBack) if (!pending.abandoned) this.#router.delivering.release(pending)
  }

  /**
   * The ring has changed. What was ordered here but held back, of topics that are another's now, is published again
   * there: the new owner's routes will be complete, ours no longer.
   */
  releaseLost(): void {
    const { view, publishing } = this.#router
    for (const [topic, kept] of this.#replay) {
      view.refresh(topic)
      if (topic.owner === view.self) continue
      this.#replay.delete(topic)
      topic.kept = false
      for (const pending of kept) this.#replayCount -= pending.message!.count
      for (const pending of kept) {
        const message = pending.message!
        if (message.qos === 0 || pending.abandoned || pending.remaining === 0) continue
        pending.abandoned = true
        this.unsettled -= message.count
        const origin = this.#originOf(message)!
        origin.pending.delete(message.sequence)
        origin.ordered.delete(message.sequence)
        for (const other of pending.others ?? [])
          if (other !== null) this.acknowledge(message, other, REASON_MOVED)
        publishing.route(topic, message, pending.from)
      }
    }
    this.#heldBack = this.#heldBack.filter(pending => !pending.abandoned)
  }

  /** Orders what waits at gates that have opened, and sends on what waits for topics that are another's now. */
  openGates(): void {
    const { view, publishing } = this.#router
    for (const topic of this.#gated) {
      view.refresh(topic)
      if (topic.gated) continue
      const waiting = topic.gate ?? []
      topic.gate = null
      this.#gated.delete(topic)
      for (const { message } of waiting) this.#gatedCount -= message.count
      for (const { message, from } of waiting) {
        if (topic.owner === view.self) this.accept(topic, message, from)
        else publishing.route(topic, message, from)
      }
    }
  }

  /** Keeps it for late subscribers; where there is no room, in place of the oldest of its topic. */
  #keep(topic: Topic<Peer>, pending: Pending): void {
    pending.routes = topic.routes
    let kept = this.#replay.get(topic)
    if (kept === undefined) {
      kept = []
      this.#replay.set(topic, kept)
      topic.kept = true
    }
    const { options, counters } = this.#router
    const { count } = pending.message!
    while (this.#replayCount + count > options.replayMax) {
      const oldest = kept.shift()?.message
      counters.replayOverflows += oldest?.count ?? count
      if (oldest === undefined) return
      this.#replayCount -= oldest!.count
    }
    this.#replayCount += count
    kept.push(pending)
  }

  #originOf(message: Message): Origin | null {
    return message.origin as Origin | null
  }
}
