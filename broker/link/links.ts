// The links of a node to its peers: exactly one for each pair of nodes, whoever dials, and again whenever it
// breaks. Which of two connections that cross each other is kept, admission.ts decides.
import type { Duplex } from 'node:stream'
import { ShoalError } from '../errors.ts'
import type { Address } from '../runtime/network.ts'
import type { Runtime } from '../runtime/runtime.ts'
import { admitAnswer, admitArrival } from './admission.ts'
import { BACKOFF_MAX_MS, backoffMs } from './backoff.ts'
import { openLink } from './create.ts'
import { isDuplicate, peerIdOf, systemCodeOf } from './dial-error.ts'
import type { Identity, LinkHandlers } from './handlers.ts'
import type { Handshake, Hello, Refusal } from './handshake.ts'
import type { KeyProof } from './key-proof.ts'
import type { Link } from './link.ts'
import { type LinkLimits, type LinkParty, limitsOf } from './options.ts'
import { addressOf, idOf } from './peer-address.ts'
import { type Arrival, type Dial, PeerState, type Waiter } from './peer-state.ts'
import { Refusals } from './refusals.ts'

export interface LinksEvents extends LinkHandlers {
  /** A link is open. If it replaces another, `closed` was called for that one before. */
  opened(link: Link): void
  /** A dial of a wanted peer failed: `ECONNREFUSED`, `ETIMEDOUT`, ... of the system, or a code of the errors' table. */
  refused(peerId: string, code: string): void
  /** The link to a wanted peer broke, and not by a graceful close. */
  lost(peerId: string, instance: string): void
}

export interface LinksOptions extends Partial<LinkLimits> {
  /** Handshakes that are under way; one more incoming connection is closed at once. */
  handshakesMax?: number
  /** Open links; one more is refused. */
  linksMax?: number
}

export interface LinksParts {
  runtime: Runtime
  self: Identity
  ring: string
  handlers: LinksEvents
  /** Of a node with cluster keys; see `LinkParty`. */
  proof?: KeyProof
  options?: LinksOptions
}

const HANDSHAKES_MAX = 1024
const LINKS_MAX = 4096

export class Links {
  readonly refusals: Refusals
  readonly #runtime: Runtime
  readonly #self: Identity
  readonly #handlers: LinksEvents
  readonly #party: LinkParty
  readonly #limits: LinkLimits
  readonly #handshakesMax: number
  readonly #linksMax: number
  readonly #peers: Map<string, PeerState>
  readonly #open: Set<Link>
  /** Handshakes of either side. */
  readonly #handshakes: Set<Handshake>
  #attempts: number
  #isResting: boolean
  #isClosed: boolean

  constructor({ runtime, self, ring, handlers, proof, options = {} }: LinksParts) {
    this.#runtime = runtime
    this.#self = self
    this.#handlers = handlers
    this.#limits = limitsOf(options)
    this.#handshakesMax = options.handshakesMax ?? HANDSHAKES_MAX
    this.#linksMax = options.linksMax ?? LINKS_MAX
    const { clock, log } = runtime
    const watching = this.#watching(handlers)
    this.#party = { clock, log, self, ring, handlers: watching, ...(proof === undefined ? {} : { proof }) }
    this.refusals = new Refusals(log, clock)
    this.#peers = new Map()
    this.#open = new Set()
    this.#handshakes = new Set()
    this.#attempts = 0
    this.#isResting = false
    this.#isClosed = false
  }

  get(peerId: string): Link | null {
    return this.#peers.get(peerId)?.link ?? null
  }

  all(): Iterable<Link> {
    return this.#open
  }

  /** Keeps a link to the peer: dials at once, and again whenever there is none. Twice is as once. */
  want(peerId: string): void {
    if (this.#isClosed || this.#isResting || peerId === this.#self.id) return
    const peer = this.#peerOf(peerId)
    if (peer.isWanted) return
    peer.isWanted = true
    peer.failures = 0
    this.#ensure(peer)
  }

  /** Dials the peer no more, and closes the link to it gracefully. It may still come by itself. */
  unwant(peerId: string): void {
    const peer = this.#peers.get(peerId)
    if (peer === undefined) return
    peer.isWanted = false
    this.#dropDial(peer)
    peer.retry?.cancel()
    peer.retry = null
    peer.link?.close()
    this.#forgetIfIdle(peer)
  }

  /** Dials nobody any more. Links that are open stay, and whoever comes is let in. */
  rest(): void {
    for (const peer of this.#peers.values()) {
      peer.isWanted = false
      peer.retry?.cancel()
      peer.retry = null
    }
    this.#isResting = true
  }

  /** Takes an incoming connection. */
  accept(stream: Duplex, from: Address): void {
    if (this.#isClosed || this.#handshakes.size >= this.#handshakesMax) {
      stream.on('error', () => {})
      stream.destroy()
      return
    }
    const attempt = ++this.#attempts
    let arrival: Arrival | null = null
    const handshake: Handshake = openLink(stream, {
      party: this.#party,
      limits: this.#limits,
      initiator: false,
      expect: null,
      admission: {
        attempt,
        admit: (theirs, reply) => {
          const refusal = this.#admitArrival(theirs, reply)
          if (refusal === null) {
            arrival = { attempt, theirs }
            this.#peerOf(theirs.id).arrivals.add(arrival)
          }
          return refusal
        }
      },
      done: (error, link) => {
        this.#handshakes.delete(handshake)
        if (error !== null) this.refusals.add(error, from)
        if (arrival === null) return
        const peer = this.#peerOf(arrival.theirs.id)
        peer.arrivals.delete(arrival)
        if (link !== null) this.#opened(peer, link, attempt, arrival.theirs.attempt)
        else this.#ensure(peer)
      }
    })
    this.#handshakes.add(handshake)
  }

  /**
   * A link to whoever is at `address`: the one there is, or a new one. Rejects with PEER_REFUSED, TIMEOUT, PEER_GONE,
   * FRAME_INVALID or CLOSED, where PEER_GONE has the system's error as its cause.
   */
  async dial(address: Address): Promise<Link> {
    if (this.#isClosed) throw new ShoalError('CLOSED')
    const known = this.get(idOf(address))
    if (known !== null) return known
    const stream = await this.#connect(address)
    return new Promise((resolve, reject) => {
      this.#greet(stream, address, null, (error, link, theirs) => {
        if (link !== null) resolve(link)
        else if (theirs === null || !isDuplicate(error)) reject(error)
        else this.#await(theirs, resolve, reject)
      })
    })
  }

  /** Closes all links gracefully, and takes no more. */
  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    for (const peer of this.#peers.values()) {
      peer.retry?.cancel()
      peer.retry = null
      peer.isWanted = false
    }
    for (const handshake of [...this.#handshakes]) handshake.abandon(new ShoalError('CLOSED'))
    for (const peer of [...this.#peers.values()]) {
      for (const waiter of [...peer.waiters]) waiter.failed(new ShoalError('CLOSED'))
    }
    await Promise.all([...this.#open].map(link => link.close()))
    this.#peers.clear()
  }

  /** Dials if the peer is wanted and no link to it is there or on its way. */
  #ensure(peer: PeerState): void {
    if (this.#isClosed) return
    if (!peer.isWanted || peer.link !== null || peer.dial !== null || peer.arrivals.size > 0) {
      this.#forgetIfIdle(peer)
      return
    }
    if (peer.retry !== null) return
    const delayMs = backoffMs(peer.failures, this.#runtime.random)
    if (delayMs === 0) {
      this.#dialWanted(peer)
      return
    }
    peer.retry = this.#runtime.clock.after(delayMs, () => {
      peer.retry = null
      if (peer.isWanted && peer.link === null && peer.arrivals.size === 0) this.#dialWanted(peer)
    })
  }

  #dialWanted(peer: PeerState): void {
    const dial: Dial = { handshake: null }
    const address = addressOf(peer.id)
    peer.dial = dial
    peer.failures++
    this.#connect(address).then(
      stream => {
        // The peer's own connection was faster, or it is not wanted any more.
        if (this.#isClosed || peer.dial !== dial || peer.link !== null || peer.arrivals.size > 0) {
          stream.destroy()
          this.#dialed(peer, dial)
          return
        }
        dial.handshake = this.#greet(stream, address, peer.id, error => {
          this.#dialed(peer, dial)
          if (error !== null && !isDuplicate(error) && peer.isWanted)
            this.#handlers.refused(peer.id, error.code)
        })
      },
      (error: unknown) => {
        const isCurrent = peer.dial === dial
        this.#dialed(peer, dial)
        if (isCurrent && peer.isWanted && !this.#isClosed)
          this.#handlers.refused(peer.id, systemCodeOf(error))
      }
    )
  }

  #dialed(peer: PeerState, dial: Dial): void {
    if (peer.dial === dial) peer.dial = null
    this.#ensure(peer)
  }

  /** Gives up the dial that is under way, if its handshake is not done. */
  #dropDial(peer: PeerState): void {
    const dial = peer.dial
    peer.dial = null
    dial?.handshake?.abandon(new ShoalError('PEER_REFUSED', { reason: 'duplicate', by: 'us' }))
  }

  async #connect(address: Address): Promise<Duplex> {
    let stream: Duplex
    try {
      stream = await this.#runtime.network.connect(address, this.#limits.handshakeTimeoutMs)
    } catch (error) {
      throw new ShoalError('PEER_GONE', { peer: idOf(address), error: systemCodeOf(error) }, error)
    }
    stream.on('error', () => {})
    if (!this.#isClosed) return stream
    stream.destroy()
    throw new ShoalError('CLOSED')
  }

  /** The dialler's handshake. */
  #greet(
    stream: Duplex,
    address: Address,
    expect: string | null,
    done: (error: ShoalError | null, link: Link | null, theirs: string | null) => void
  ): Handshake {
    const attempt = ++this.#attempts
    const handshake: Handshake = openLink(stream, {
      party: this.#party,
      limits: this.#limits,
      initiator: true,
      expect,
      admission: { attempt, admit: theirs => this.#admitAnswer(theirs) },
      done: (error, link, theirs) => {
        this.#handshakes.delete(handshake)
        if (error !== null) this.refusals.add(error, address)
        if (link !== null && theirs !== null)
          this.#opened(this.#peerOf(theirs.id), link, attempt, theirs.attempt)
        done(error, link, link?.peer.id ?? peerIdOf(error))
      }
    })
    this.#handshakes.add(handshake)
    return handshake
  }

  /** A peer has dialled us. */
  #admitArrival(theirs: Hello, reply: Hello): Refusal | null {
    if (this.#isClosed) return 'closing'
    if (this.#open.size >= this.#linksMax && this.get(theirs.id) === null) return 'too many links'
    return admitArrival(this.#self.id, this.#peerOf(theirs.id), theirs, reply)
  }

  /** A peer has answered our dial. */
  #admitAnswer(theirs: Hello): Refusal | null {
    if (this.#isClosed) return 'closing'
    return admitAnswer(this.#self.id, this.#peerOf(theirs.id), theirs)
  }

  #opened(peer: PeerState, link: Link, ourAttempt: number, theirAttempt: number): void {
    const old = peer.link
    peer.link = link
    peer.ourAttempt = ourAttempt
    peer.theirAttempt = theirAttempt
    peer.openedAt = this.#runtime.clock.now()
    this.#open.add(link)
    old?.destroy(new ShoalError('PEER_GONE', { peer: peer.id, link: 'replaced' }))
    peer.retry?.cancel()
    peer.retry = null
    this.#runtime.log.info(
      { peer: peer.id, instance: link.peer.instance, dialled: link.initiator },
      'link open'
    )
    this.#handlers.opened(link)
    for (const waiter of [...peer.waiters]) waiter.opened(link)
  }

  /** The node's handlers, told of a closed link after this class. */
  #watching(handlers: LinksEvents): LinkHandlers {
    return {
      topic: name => handlers.topic(name),
      origin: instance => handlers.origin(instance),
      publish: (link, message) => handlers.publish(link, message),
      deliver: (link, message) => handlers.deliver(link, message),
      barrier: link => handlers.barrier(link),
      publishAck: (link, origin, first, last, reason) =>
        handlers.publishAck(link, origin, first, last, reason),
      deliverAck: (link, count) => handlers.deliverAck(link, count),
      request: (link, name, body, reply) => handlers.request(link, name, body, reply),
      fire: (link, name, body) => handlers.fire(link, name, body),
      congested: (link, congested) => handlers.congested(link, congested),
      closed: (link, reason) => {
        this.#open.delete(link)
        handlers.closed(link, reason)
        this.#closed(link, reason)
      }
    }
  }

  #closed(link: Link, reason: ShoalError | null): void {
    const peer = this.#peers.get(link.peer.id)
    if (peer === undefined || peer.link !== link) return
    peer.link = null
    // A link that held is no reason to wait; one that breaks as soon as it is open must not be redialled in a loop.
    if (this.#runtime.clock.now() - peer.openedAt >= BACKOFF_MAX_MS) peer.failures = 0
    if (peer.isWanted && reason !== null) this.#handlers.lost(peer.id, link.peer.instance)
    this.#ensure(peer)
  }

  /** Another connection to the peer is on its way: waits for what becomes of it. */
  #await(peerId: string, resolve: (link: Link) => void, reject: (error: ShoalError) => void): void {
    const peer = this.#peerOf(peerId)
    if (peer.link !== null) return resolve(peer.link)
    const over = (): void => {
      timer.cancel()
      peer.waiters.delete(waiter)
      this.#forgetIfIdle(peer)
    }
    const waiter: Waiter = {
      opened: link => {
        over()
        resolve(link)
      },
      failed: error => {
        over()
        reject(error)
      }
    }
    const timer = this.#runtime.clock.after(this.#limits.handshakeTimeoutMs, () => {
      waiter.failed(new ShoalError('TIMEOUT', { peer: peerId, handshake: this.#limits.handshakeTimeoutMs }))
    })
    peer.waiters.add(waiter)
  }

  #peerOf(peerId: string): PeerState {
    let peer = this.#peers.get(peerId)
    if (peer === undefined) {
      peer = new PeerState(peerId)
      this.#peers.set(peerId, peer)
    }
    return peer
  }

  #forgetIfIdle(peer: PeerState): void {
    if (peer.isIdle && this.#peers.get(peer.id) === peer) this.#peers.delete(peer.id)
  }
}
