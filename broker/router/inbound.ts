// From the links to the parts of the router: what each frame means, and what a link's coming and going does.
import type { ClusterHandlers } from '../cluster.ts'
import { ShoalError } from '../errors.ts'
import type { Reply } from '../link/handlers.ts'
import type { Link } from '../link/link.ts'
import type { Message, OriginName, TopicName } from '../message.ts'
import type { Topic } from '../topics/topic.ts'
import { integer } from './control.ts'
import type { Origin } from './origin.ts'
import type { Peer } from './peer.ts'
import type { Router } from './router.ts'
import { SequenceWindow } from './sequence-window.ts'

/** An acknowledgement for more messages than can be under way is from a peer that has lost its senses. */
const ACK_RANGE_MAX = SequenceWindow.size

export class Inbound implements ClusterHandlers {
  readonly #router: Router
  readonly #peers = new Map<Link, Peer>()

  constructor(router: Router) {
    this.#router = router
    router.control.onFire('sync', (peer, body) => this.#synchronised(peer, body))
    router.control.onFire('press', (peer, body) => this.#pressed(peer, integer(body, 'on') === 1))
  }

  /** A handshaken link. Call once, before its first frame is read. */
  opened(link: Link): void {
    const router = this.#router
    const peer = router.peerOf(link.peer.id, link.peer.instance)
    this.#peers.set(link, peer)
    peer.link = link
    peer.resumed = false
    const { deliverSession, deliverTaken } = peer.origin
    link.fire('sync', {
      session: peer.session,
      base: peer.acked,
      takenOf: deliverSession,
      taken: deliverTaken
    })
    router.subscribing.announce(peer)
    router.rebalancing.sayTo(peer)
    if (router.self.pressed) link.fire('press', { on: 1 })
    router.publishing.resend(peer)
    router.events.linkOpened(peer)
  }

  topic(name: string): TopicName {
    return this.#router.topics.get(name)
  }

  origin(instance: string): OriginName {
    return this.#router.origins.get(instance)
  }

  publish(link: Link, message: Message): void {
    const peer = this.#peers.get(link)
    if (peer === undefined || (message.qos > 0 && message.origin === null)) return
    this.#router.publishing.route(this.#topicOf(message), message, peer)
  }

  deliver(link: Link, message: Message): void {
    const peer = this.#peers.get(link)
    if (peer === undefined) return
    this.#router.delivering.local(this.#topicOf(message), message)
    if (message.qos > 0) link.deliverAck(++peer.origin.deliverTaken)
  }

  barrier(link: Link): void {
    const peer = this.#peers.get(link)
    if (peer !== undefined) link.deliverAck(++peer.origin.deliverTaken)
  }

  publishAck(_link: Link, origin: OriginName, first: number, last: number, reason: number): void {
    if (last - first < ACK_RANGE_MAX)
      this.#router.publishing.acknowledged(origin as Origin, first, last, reason)
  }

  deliverAck(link: Link, count: number): void {
    const peer = this.#peers.get(link)
    if (peer?.resumed) this.#router.delivering.taken(peer, count)
  }

  request(link: Link, name: string, body: unknown, reply: Reply): void {
    const peer = this.#peers.get(link)
    if (peer === undefined) reply.fail(new ShoalError('PEER_UNKNOWN', { name }))
    else this.#router.control.request(peer, name, body, reply)
  }

  fire(link: Link, name: string, body: unknown): void {
    const peer = this.#peers.get(link)
    if (peer === undefined) return
    try {
      this.#router.control.fire(peer, name, body)
    } catch (error) {
      this.#router.log.warn({ peer: peer.id, name, error }, 'malformed message from a peer')
    }
  }

  congested(link: Link, congested: boolean): void {
    const router = this.#router
    const peer = this.#peers.get(link)
    if (peer === undefined || peer.link !== link) return
    peer.congestedSince = congested ? router.clock.now() : -1
    router.congestionChanged()
    if (congested) return
    router.delivering.pump(peer)
    router.publishing.reroute()
  }

  closed(link: Link): void {
    const peer = this.#peers.get(link)
    this.#peers.delete(link)
    if (peer === undefined || peer.link !== link) return
    peer.link = null
    peer.resumed = false
    peer.congestedSince = -1
    peer.rowsAnnounced = null
    this.#pressed(peer, false)
    this.#router.congestionChanged()
    this.#router.events.linkClosed(peer)
  }

  /** Where the two rows of deliveries stand, as the other side knows them. */
  #synchronised(peer: Peer, body: Readonly<Record<string, unknown>>): void {
    const session = integer(body, 'session')
    const before = peer.origin.deliverSession
    if (before !== session) {
      peer.origin.deliverSession = session
      peer.origin.deliverTaken = integer(body, 'base')
      // A new row from the same instance: it had taken us for dead.
      if (before !== 0) this.#router.rebalancing.wasDropped(peer)
    }
    this.#router.delivering.resume(peer, integer(body, 'takenOf'), integer(body, 'taken'))
  }

  #pressed(peer: Peer, on: boolean): void {
    const { publishing } = this.#router
    peer.pressed = on
    if (on) publishing.pressing.add(peer)
    else {
      publishing.pressing.delete(peer)
      publishing.drained()
    }
  }

  /** The table may have dropped the topic since the link's dictionary has learnt it. */
  #topicOf(message: Message): Topic<Peer> {
    const topic = message.topic as Topic<Peer>
    if (!topic.evicted) return topic
    const current = this.#router.topics.get(topic.name)
    message.topic = current
    return current
  }
}
