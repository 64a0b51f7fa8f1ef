// From a client, or another node, to the owner of the topic. A message of QoS >= 1 that goes to another
// node is kept until that node has acknowledged it; if the node dies first, it goes to the next owner.
// What cannot go now (no owner, no link or no room on it, a fence: see fence.ts) waits here, in order.
import { MESSAGE_BYTES_MAX, type Message } from '../message.ts'
import type { Topic } from '../topics/topic.ts'
import { type Origin, Outgoing } from './origin.ts'
import type { Peer } from './peer.ts'
import type { Router } from './router.ts'
import { SequenceWindow } from './sequence-window.ts'

/** A message is passed on at most twice by nodes that do not own its topic. */
const HOPS_MAX = 2
const REASON_SUCCESS = 0x00
/** MQTT 5: packet too large. */
const REASON_TOO_LARGE = 0x95
/** Not an acknowledgement: the receiver neither owns the topic nor knows a better way. (MQTT 5: server moved.) */
const REASON_MOVED = 0x9d
/** A message that came from the very node that we take for its owner waits so long for us to see why. */
const GIVE_BACK_MS = 1000

interface Held {
  readonly topic: Topic<Peer>
  readonly message: Message
  readonly from: Peer | null
  readonly outgoing: Outgoing | null
  /** In ms of the clock. */
  readonly since: number
}

export class Publishing {
  readonly #router: Router
  #sequence = 0
  /** Behind a fence, without an owner, or without a link to it or room on it; in the order in which they came. */
  #held: Held[] = []
  /** Messages of QoS 0 among them, which nothing else bounds. */
  #heldUnnamed = 0
  /** Messages of clients among them that have no number yet, since it would be too far from those under way. */
  #nameless = 0
  /** While held messages are looked at again: since when the present one waits. */
  #heldSince: number | null = null
  #whenDrained: (() => void)[] = []
  #whenReleased: (() => void)[] = []
  /** Peers that ask us to slow down, ourselves included. */
  readonly pressing = new Set<Peer>()
  /** Some message was passed on too often: our view of the ring, or another's, is old. Tried again later. */
  #stranded = false

  constructor(router: Router) {
    this.#router = router
  }

  /** Messages and runs sent to other nodes and not acknowledged, or waiting to be sent. */
  get waiting(): number {
    let count = this.#held.length
    for (const origin of this.#router.origins.values()) count += origin.outgoing.size
    return count
  }

  /** False: the way is congested. The message was taken all the same. */
  publish(message: Message): boolean {
    const router = this.#router
    let topic = message.topic as Topic<Peer>
    if (topic.evicted) {
      topic = router.topics.get(topic.name)
      message.topic = topic
    }
    topic.used = true
    if (message.payloadEnd - message.payloadStart + (message.properties?.length ?? 0) > MESSAGE_BYTES_MAX) {
      router.counters.droppedTooLarge += message.count
      message.receipt?.published(message.token, REASON_TOO_LARGE, message.count)
      return true
    }
    router.counters.published += message.count
    this.route(topic, message, null)
    const owner = topic.owner
    if (owner === router.self) return !router.self.pressed && topic.gate === null && !this.#isOwnRowFull
    if (owner === null || owner.link === null || topic.held) return false
    return !owner.pressed && owner.congestedSince === -1 && this.#windowOpen
  }

  /**
   * Calls `run` at the next tick if no way is congested, else once none is, or in a second to see for itself if numbers
   * are not what there is too little of.
   */
  whenDrained(run: () => void): void {
    this.#whenDrained.push(run)
    this.#router.clock.defer(() => this.drained())
  }

  /** Lets those go on who wait, if nothing is congested. */
  drained(): void {
    if (this.#whenDrained.length === 0) return
    if (this.pressing.size > 0 || this.#held.length > 0 || !this.#windowOpen || this.#isOwnRowFull) return
    if (this.#router.ordering.gatedCount > 0) return
    for (const peer of this.#router.view.peers.values()) if (peer.congestedSince !== -1) return
    this.#letGo()
  }

  /** Call every second: tries again what had nowhere to go, and lets publishers try whose way may be free. */
  tick(): void {
    if (this.#stranded || this.#held.length > 0) {
      this.#stranded = false
      this.#giveBackHeld()
      this.reroute()
    }
    if (this.#windowOpen) this.#letGo()
  }

  /** What came from the owner itself, and still waits for us to learn of another: it was the sender's view that was wrong. */
  #giveBackHeld(): void {
    const { clock } = this.#router
    this.#held = this.#held.filter(({ topic, message, from, outgoing, since }) => {
      if (from === null || topic.owner !== from || from.link === null || clock.now() - since < GIVE_BACK_MS)
        return true
      topic.waiting--
      if (outgoing === null) this.#heldUnnamed -= message.count
      this.#giveBack(message, from, outgoing)
      return false
    })
  }

  #letGo(): void {
    const waiting = this.#whenDrained
    this.#whenDrained = []
    let next = 0
    while (next < waiting.length && this.#windowOpen) waiting[next++]!()
    if (next < waiting.length) this.#whenDrained = [...waiting.slice(next), ...this.#whenDrained]
  }

  /** Orders it here, or sends it to its owner. `from` wants the acknowledgement; null: a client of this node. */
  route(topic: Topic<Peer>, message: Message, from: Peer | null): void {
    const { view, ordering } = this.#router
    if (topic.viewVersion !== view.version) view.refresh(topic)
    if (message.qos > 0 && message.origin !== null) {
      const known = this.#originOf(message).outgoing.get(message.sequence)
      if (known !== undefined) {
        this.#cameAgain(topic, known, from)
        return
      }
    }
    if (topic.owner === view.self && (!topic.held || this.#router.fencing.isRaisedAt(from))) {
      ordering.accept(topic, message, from)
      return
    }
    const outgoing = this.#outgoingOf(message, from)
    if (topic.waiting > 0 || this.#isNameless(message)) this.#hold(topic, message, from, outgoing)
    else this.#send(topic, message, from, outgoing)
  }

  /** Keeps a message of QoS >= 1 until it is acknowledged. Null at QoS 0, and as long as it cannot have a name. */
  #outgoingOf(message: Message, from: Peer | null): Outgoing | null {
    if (message.qos === 0) return null
    if (message.origin === null) {
      if (this.#nameless > 0 || this.#span >= SequenceWindow.size - 1) return null
      this.name(message)
    }
    const outgoing = new Outgoing(message, from)
    this.#originOf(message).outgoing.set(message.sequence, outgoing)
    return outgoing
  }

  #isNameless(message: Message): boolean {
    return message.qos > 0 && message.origin === null
  }

  /**
   * A message that was sent on from here has come again: given back by the node that it went to; or once more from the
   * node it came from, whose link broke; or it went round in a circle.
   */
  #cameAgain(topic: Topic<Peer>, known: Outgoing, from: Peer | null): void {
    const { self, ordering } = this.#router
    const message = known.message
    const isBack = from !== null && known.via === from
    if (topic.owner === self) {
      this.#originOf(message).outgoing.delete(message.sequence)
      if (!isBack) ordering.acknowledge(message, from, REASON_SUCCESS)
      ordering.accept(topic, message, known.from)
    } else if (isBack) {
      known.via = null
      if (topic.owner === from) this.#hold(topic, message, from, known)
      else this.#send(topic, message, known.from, known)
    } else if (known.from?.gone) known.from = from
    else if (known.from !== from) ordering.acknowledge(message, from, REASON_MOVED)
  }

  /** Gives a message of this node the name by which every node knows it again; a run takes as many as it has messages. */
  name(message: Message): void {
    message.origin = this.#router.self.origin
    message.sequence = this.#sequence + 1
    this.#sequence += message.count
  }

  /** The node that was taken for the owner has settled `first..last` of `origin`. */
  acknowledged(origin: Origin, first: number, last: number, reason: number): void {
    for (let sequence = first; sequence <= last; sequence++) {
      const outgoing = origin.outgoing.get(sequence)
      // Within a run, which stands under its first; or settled already.
      if (outgoing === undefined) continue
      if (reason === REASON_MOVED) {
        outgoing.via = null
        this.#stranded = true
        continue
      }
      origin.outgoing.delete(sequence)
      this.#router.ordering.acknowledge(outgoing.message, outgoing.from, reason)
    }
    if (this.#nameless > 0 && this.#windowOpen) this.releaseHeld()
    else if (this.isAwaited) this.drained()
  }

  /** A link to `peer` is up: it gets again, in order, what it has not acknowledged, and then what waited for the link. */
  resend(peer: Peer): void {
    const older: Held[] = []
    for (const origin of this.#router.origins.values()) {
      for (const [, outgoing] of origin.outgoing) {
        if (outgoing.via !== peer || outgoing.held) continue
        const message = outgoing.message
        const topic = this.#router.topicOf(message)
        if (older.length === 0 && this.#isOpen(peer)) peer.link!.publish(message)
        else {
          outgoing.held = true
          outgoing.via = null
          topic.waiting++
          older.push({ topic, message, from: outgoing.from, outgoing, since: this.#router.clock.now() })
        }
      }
    }
    if (older.length > 0) this.#held = [...older, ...this.#held]
    this.reroute()
  }

  /** Messages that `peer` sent here wait to be passed on. */
  holdsFor(peer: Peer): boolean {
    return this.#held.some(({ from, outgoing }) => (outgoing === null ? from : outgoing.from) === peer)
  }

  /** Calls `run` once nothing waits here any more. */
  whenReleased(run: () => void): void {
    this.#whenReleased.push(run)
  }

  /** The ring has changed: what went to a node that is gone, or to nobody, goes to its owner now. */
  reroute(): void {
    const { origins, view, ordering } = this.#router
    for (const origin of origins.values()) {
      for (const [sequence, outgoing] of origin.outgoing) {
        if (outgoing.held || (outgoing.via !== null && !outgoing.via.gone)) continue
        const message = outgoing.message
        const topic = this.#router.topicOf(message)
        view.refresh(topic)
        // What cannot go yet stays where it is, before all younger ones: those wait in `held`.
        if (topic.held || !this.#isOpen(topic.owner)) continue
        message.hops = 0
        if (topic.owner === view.self) {
          origin.outgoing.delete(sequence)
          ordering.accept(topic, message, outgoing.from)
        } else this.#send(topic, message, outgoing.from, outgoing)
      }
    }
    this.releaseHeld()
  }

  /** Sends on what is no longer held, in the order in which it came. */
  releaseHeld(): void {
    const { view, ordering } = this.#router
    if (this.#held.length > 0) {
      const held = this.#held
      this.#held = []
      this.#heldUnnamed = 0
      this.#nameless = 0
      for (const { topic } of held) topic.waiting = 0
      // What waits at gates was here before what is held.
      ordering.openGates()
      for (const one of held) {
        const { topic, message, from } = one
        let { outgoing } = one
        this.#heldSince = one.since
        view.refresh(topic)
        if (outgoing !== null) outgoing.held = false
        if (topic.owner === view.self && (!topic.held || this.#router.fencing.isRaisedAt(from))) {
          if (outgoing !== null) this.#originOf(message).outgoing.delete(message.sequence)
          ordering.accept(topic, message, outgoing === null ? from : outgoing.from)
          continue
        }
        if (this.#isNameless(message)) outgoing = this.#outgoingOf(message, from)
        if (topic.waiting > 0 || this.#isNameless(message)) this.#hold(topic, message, from, outgoing)
        else this.#send(topic, message, from, outgoing)
      }
      this.#heldSince = null
    }
    if (this.#held.length === 0) {
      const waiting = this.#whenReleased
      this.#whenReleased = []
      for (const run of waiting) run()
      this.drained()
    }
  }

  #send(topic: Topic<Peer>, message: Message, from: Peer | null, outgoing: Outgoing | null): void {
    const router = this.#router
    const owner = topic.owner
    if (owner !== null && owner === from) {
      this.#cameFromOwner(topic, message, owner, outgoing)
      return
    }
    if (topic.held || !this.#isOpen(owner)) {
      this.#hold(topic, message, from, outgoing)
      return
    }
    if (from !== null) {
      if (message.hops >= HOPS_MAX) {
        if (outgoing === null) router.counters.droppedHops += message.count
        else {
          outgoing.via = null
          this.#stranded = true
        }
        return
      }
      message.hops++
      router.counters.passedOn += message.count
      owner.passedOn++
    }
    if (outgoing !== null) outgoing.via = owner
    owner.published++
    owner.link!.publish(message)
  }

  /**
   * The node that it came from is the owner, as we see it. If the topic was ours, that node has not heard yet, and gets it
   * back; else we have not heard yet, and it waits here.
   */
  #cameFromOwner(topic: Topic<Peer>, message: Message, owner: Peer, outgoing: Outgoing | null): void {
    if (this.#router.view.wasOwned(topic.hash)) this.#giveBack(message, owner, outgoing)
    else this.#hold(topic, message, owner, outgoing)
  }

  /** To a node that sent it here: its own again, unless it only sent back what is ours to see through. */
  #giveBack(message: Message, to: Peer, outgoing: Outgoing | null): void {
    if (outgoing !== null && outgoing.from === to) this.#originOf(message).outgoing.delete(message.sequence)
    else if (outgoing !== null) {
      outgoing.via = to
      outgoing.held = false
    }
    to.link?.publish(message)
  }

  /** There is an owner, and a way to it with room. */
  #isOpen(owner: Peer | null): owner is Peer {
    if (owner === null) return false
    if (owner.isSelf) return true
    return owner.link !== null && owner.link.bufferedBytes <= this.#router.options.linkBufferBytesMax
  }

  #hold(topic: Topic<Peer>, message: Message, from: Peer | null, outgoing: Outgoing | null): void {
    const router = this.#router
    if (outgoing !== null) outgoing.held = true
    else if (message.qos > 0) this.#nameless++
    else if (this.#heldUnnamed + message.count > router.options.publishWindow) {
      router.counters.droppedQueueFull += message.count
      return
    } else this.#heldUnnamed += message.count
    topic.waiting++
    this.#held.push({ topic, message, from, outgoing, since: this.#heldSince ?? router.clock.now() })
  }

  /** The numbers under way are not further apart than the window: from there on publishers are asked to wait. */
  get #windowOpen(): boolean {
    return this.#span < this.#router.options.publishWindow
  }

  /**
   * How far the numbers of this node that may come again are apart. Receivers remember `SequenceWindow.size`; what needs a
   * number beyond waits for one, as many publishers may have had a run ready when the window closed.
   */
  get #span(): number {
    const { outgoing, self } = this.#router
    const { pending } = self.origin
    let first = this.#sequence
    if (outgoing.size > 0) first = outgoing.first
    if (pending.size > 0 && pending.first < first) first = pending.first
    return this.#sequence - first
  }

  /** As many are ordered here and not taken by all as may be under way to another owner. */
  get #isOwnRowFull(): boolean {
    return this.#router.ordering.unsettled >= this.#router.options.publishWindow
  }

  /** Someone waits for `drained`. */
  get isAwaited(): boolean {
    return this.#whenDrained.length > 0
  }

  #originOf(message: Message): Origin {
    return message.origin as Origin
  }
}
