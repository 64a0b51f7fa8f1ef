// The router of one node: everything between the gateways' calls and the links' frames. It owns the tables
// and joins the parts; each part is a file of this folder, and finds the others through here.
import type { Message } from '../message.ts'
import { hashKey } from '../ring/hash.ts'
import { Ring } from '../ring/ring.ts'
import type { Clock, Timer } from '../runtime/clock.ts'
import type { Log } from '../runtime/log.ts'
import type { Runtime } from '../runtime/runtime.ts'
import { RetainedStore } from '../topics/retained.ts'
import { RouteTable } from '../topics/routes.ts'
import { SubscriptionTable } from '../topics/subscriptions.ts'
import { type Topic, TopicTable } from '../topics/topic.ts'
import { Control } from './control.ts'
import { Counters } from './counters.ts'
import { Delivering } from './deliver.ts'
import { Fencing } from './fence.ts'
import { HybridClock } from './hybrid-clock.ts'
import { Inbound } from './inbound.ts'
import { Ordering } from './order.ts'
import { Origin, OriginTable, type Outgoing } from './origin.ts'
import { Peer } from './peer.ts'
import { Publishing } from './publish.ts'
import { Rebalancing } from './rebalance.ts'
import { Scanning } from './retained.ts'
import { SequenceMap } from './sequence-map.ts'
import { Subscribing } from './subscribe.ts'
import { View } from './view.ts'

export interface RouterOptions {
  replicaPoints: number
  /** A topic's owner is found by its first so many levels; 0: by the whole topic. */
  shardLevels: number
  topicsMax: number
  retainedMax: number
  retainedBytesMax: number
  /** Messages of QoS >= 1 from this node that may be unacknowledged by other nodes at once; at most 65,536. */
  publishWindow: number
  /** Bytes that may wait to be written to one peer. */
  linkBufferBytesMax: number
  /** Messages kept for late subscribers during a change of the ring. */
  replayMax: number
}

/** What the router tells the broker that it belongs to. */
export interface RouterEvents {
  linkOpened(peer: Peer): void
  linkClosed(peer: Peer): void
  peerGone(peer: Peer): void
  ringChanged(): void
  /** Hands over what else this node does not own any more; settles when that is done, or cannot be now. */
  handOver(): Promise<void>
}

/** A peer that has been in congestion for so long without getting out is no longer waited for. */
const STALLED_MS = 500

export class Router {
  readonly clock: Clock
  readonly log: Log
  readonly options: RouterOptions
  readonly counters = new Counters()
  readonly control = new Control()
  readonly hybridClock: HybridClock
  readonly origins: OriginTable
  /** Messages of this node that other nodes have not acknowledged. */
  readonly outgoing = new SequenceMap<Outgoing>()
  readonly topics: TopicTable<Peer>
  readonly subscriptions = new SubscriptionTable()
  readonly routes = new RouteTable<Peer>()
  readonly retained: RetainedStore
  readonly self: Peer
  readonly view: View
  readonly delivering: Delivering
  readonly ordering: Ordering
  readonly publishing: Publishing
  readonly fencing: Fencing
  readonly scanning: Scanning
  readonly subscribing: Subscribing
  readonly rebalancing: Rebalancing
  readonly inbound: Inbound
  closed = false
  /** The epoch of topics that this node begins to order now; 0: the next one begins a new era. */
  #era = 0
  #eraEvictions = 0
  readonly events: RouterEvents
  #stallTimer: Timer | null = null

  constructor(
    id: string,
    instance: string,
    options: RouterOptions,
    runtime: Pick<Runtime, 'clock' | 'log'>,
    events: RouterEvents
  ) {
    this.clock = runtime.clock
    this.log = runtime.log
    this.options = options
    this.events = events
    this.hybridClock = new HybridClock(runtime.clock, hashKey(instance) % 1024)
    this.topics = new TopicTable(options.shardLevels, options.topicsMax)
    this.retained = new RetainedStore({
      retainedMax: options.retainedMax,
      retainedBytesMax: options.retainedBytesMax
    })
    const origin = new Origin(instance, this.outgoing)
    this.origins = new OriginTable(origin)
    this.self = new Peer(id, origin, 0, true)
    this.view = new View(this.self, new Ring([], options.replicaPoints))
    this.delivering = new Delivering(this)
    this.ordering = new Ordering(this)
    this.publishing = new Publishing(this)
    this.fencing = new Fencing(this)
    this.scanning = new Scanning(this)
    this.subscribing = new Subscribing(this)
    this.rebalancing = new Rebalancing(this)
    this.inbound = new Inbound(this)
  }

  /** The one Peer for an instance of a node; made if it is new. An older instance must have been forgotten before. */
  peerOf(id: string, instance: string): Peer {
    const known = this.view.peers.get(id)
    if (known !== undefined) {
      if (known.instance === instance) return known
      this.rebalancing.peerLost(known)
    }
    const peer = new Peer(id, this.origins.get(instance), this.hybridClock.next(), false)
    peer.returned = peer.origin.deliverSession !== 0
    this.view.peers.set(id, peer)
    this.view.touch()
    return peer
  }

  /** Keeps a message as its topic's retained one, unless what is kept is newer or a limit is reached. */
  retain(message: Message, stamp: number): void {
    this.retained.set(message.detached(), stamp)
  }

  /**
   * The epoch for a topic that this node begins to order. Topics share it until the ring changes, or a topic is dropped from
   * the table and could come back.
   */
  epoch(): number {
    if (this.#era === 0 || this.#eraEvictions !== this.topics.evictions) {
      this.#era = this.hybridClock.distinct()
      this.#eraEvictions = this.topics.evictions
    }
    return this.#era
  }

  /** Topics that this node begins to order from now on get a later epoch than any before. */
  endEra(): void {
    this.#era = 0
  }

  topicOf(message: Message): Topic<Peer> {
    const topic = message.topic as Topic<Peer>
    return topic.evicted ? this.topics.get(topic.name) : topic
  }

  /** Settles when all members agree on the ring, or after `timeoutMs`. */
  agreement(timeoutMs: number): Promise<void> {
    return this.rebalancing.agreement(timeoutMs)
  }

  pause(delayMs: number): Promise<void> {
    return new Promise(resolve => {
      this.clock.after(delayMs, resolve)
    })
  }

  /**
   * Publishers everywhere are asked to wait while deliveries to some node are congested; but not for a node that
   * makes no progress: what it cannot take is dropped at QoS 0, and held at QoS >= 1.
   */
  congestionChanged(): void {
    const now = this.clock.now()
    let pressed = false
    for (const peer of this.view.peers.values()) {
      if (peer.congestedSince !== -1 && now - peer.congestedSince < STALLED_MS) pressed = true
    }
    this.#stallTimer?.cancel()
    this.#stallTimer = pressed ? this.clock.after(STALLED_MS, () => this.congestionChanged()) : null
    if (pressed === this.self.pressed) return
    this.self.pressed = pressed
    if (pressed) {
      this.counters.pressed++
      this.publishing.pressing.add(this.self)
    } else this.publishing.pressing.delete(this.self)
    for (const peer of this.view.peers.values()) peer.link?.fire('press', { on: pressed ? 1 : 0 })
    if (!pressed) this.publishing.drained()
  }

  /** Ends what waits. Timers of the clock may still fire once; they do nothing. */
  close(): void {
    this.closed = true
    this.#stallTimer?.cancel()
    this.rebalancing.close()
  }
}
