// Membership by gossip: who is in the cluster, told within seconds, at a cost for each member that
// does not grow with the cluster. This file joins the parts; each of them has the idea it is named for.
// Source: SWIM (DSN 2002); Lifeguard (arXiv:1707.00788).
import type { Timer } from '../runtime/clock.ts'
import type { Address } from '../runtime/network.ts'
import type { Runtime } from '../runtime/runtime.ts'
import { Acks } from './acks.ts'
import { Awareness } from './awareness.ts'
import { encodeAck, type Ping, type SwimMessage } from './codec.ts'
import type { SwimConfig } from './config.ts'
import type { SwimContext, SwimTransport } from './context.ts'
import { SwimCounters } from './counters.ts'
import { Detector, type Evidence } from './detector.ts'
import { GossipQueue, retransmitLimit } from './gossip.ts'
import type { Change, Member } from './member.ts'
import { Membership } from './membership.ts'
import type { Meta } from './meta.ts'
import { type Destination, Packets } from './packets.ts'
import { Relays } from './relays.ts'
import { GossipRounds } from './rounds.ts'
import { checksumSeal, type Seal } from './seal.ts'
import { Strangers } from './strangers.ts'
import { Sync } from './sync.ts'

export interface SwimOptions {
  /** `host:port` at which the others reach us, by datagrams and by `transport`. */
  id: string
  /** 16 hexadecimal digits, new at each start of the process. */
  instance: string
  /** At most 512 bytes encoded. */
  meta: Meta
  runtime: Pick<Runtime, 'clock' | 'random' | 'log'>
  send: (packet: Uint8Array, to: Address) => void
  transport: SwimTransport
  config: SwimConfig
  /** Told of others, never of ourselves, after `members()` has changed. May call any method. */
  onChange: (member: Member, change: Change) => void
  /** Packets of another ring are ignored. 32 bits; 0 by default. */
  ring?: number
  /** Of packets; a checksum by default. */
  seal?: Seal
  /** Of states, which are exchanged by `transport`; a checksum by default. */
  stateSeal?: Seal
}

export class Swim {
  readonly counters = new SwimCounters()
  readonly #context: SwimContext
  readonly #detector: Detector
  readonly #relays: Relays
  readonly #rounds: GossipRounds
  readonly #sync: Sync
  #state: 'new' | 'started' | 'leaving' | 'stopped' = 'new'
  #left: Promise<void> | null = null
  #settleLeave: (() => void) | null = null

  /** Throws LIMIT_EXCEEDED (`meta`), OPTION_INVALID (`id`, `instance`). Does nothing until `start`, but answers. */
  constructor(options: SwimOptions) {
    const {
      runtime,
      config,
      ring = 0,
      seal = checksumSeal,
      stateSeal = checksumSeal,
      send,
      transport
    } = options
    const { clock, random } = runtime
    const counters = this.counters
    const log = runtime.log.child({ part: 'swim' })
    const awareness = new Awareness(config.awarenessMax)
    const gossip = new GossipQueue(config.membersMax, counters, () => this.#rounds.kick())
    const membership = new Membership({
      ...options,
      runtime: { clock, random, log },
      awareness,
      gossip,
      counters
    })
    const retransmits = (): number => retransmitLimit(config.retransmitMultiplier, membership.table.liveCount)
    const strangers = new Strangers(counters, log, clock)
    const packets = new Packets({ ring, seal, gossip, retransmits, send, counters, strangers })
    const acks = new Acks(random, config.pingsMax)
    this.#context = {
      clock,
      random,
      log,
      config,
      transport,
      awareness,
      acks,
      gossip,
      packets,
      membership,
      counters
    }
    this.#detector = new Detector(this.#context, (ack, memberId) => this.#sync.compare(ack.digest, memberId))
    this.#relays = new Relays(this.#context)
    this.#rounds = new GossipRounds(this.#context)
    this.#sync = new Sync(this.#context, ring, stateSeal)
  }

  /** Begins to probe, gossip and sync. Once only; later calls do nothing. */
  start(): void {
    if (this.#state !== 'new') return
    this.#state = 'started'
    this.#detector.start()
    this.#rounds.start()
    this.#sync.start()
  }

  /**
   * Exchanges states with each of these addresses (`host:port`; our own is skipped): how many answered. Rejects: JOIN_FAILED if
   * there was an address besides our own and none answered, CLOSED. May be called again at any time.
   */
  join(addresses: string[]): Promise<number> {
    return this.#sync.join(addresses)
  }

  /** A packet from the datagram socket. Never throws because of what is in it. */
  receive(packet: Uint8Array, from: Address): void {
    if (this.#state === 'stopped') return
    const incoming = this.#context.packets.open(packet, from)
    if (incoming === null) return
    const { messages, sender, isForUs } = incoming
    if (!isForUs) return this.#answerForPredecessor(messages, sender)
    // News first: an answer then carries what it brought about, such as our refutation.
    for (const message of messages) if (message.kind === 'news') this.#context.membership.learn(message.news)
    for (const message of messages) this.#handle(message, sender)
    // Those who leave at the same time as we do need not be told.
    if (this.#state === 'leaving' && this.size === 0) this.#settleLeave?.()
  }

  /** The other side of `transport.pushPull`: our state, after theirs was taken in. Throws PACKET_INVALID, CLOSED. */
  receivePushPull(state: Uint8Array): Uint8Array {
    return this.#sync.receive(state)
  }

  /** Replaces our metadata everywhere. Throws LIMIT_EXCEEDED. Does nothing once we are leaving. */
  setMeta(meta: Meta): void {
    this.#context.membership.setMeta(meta)
  }

  /**
   * Evidence from links about a live member; does nothing for others. `reset`: it is probed at once. `refused`: it has
   * `hintTries` times `hintTimeoutMs` to answer, and is dead otherwise.
   */
  hint(memberId: string, evidence: Evidence): void {
    if (this.#state === 'started') this.#detector.hint(memberId, evidence)
  }

  /** Tells the others that we leave. Settles when that was gossiped enough, after `leaveTimeoutMs`, or at `stop`. */
  leave(): Promise<void> {
    this.#left ??= this.#leave()
    return this.#left
  }

  /** Silence: no timer is left, no packet is sent or taken. */
  stop(): void {
    if (this.#state === 'stopped') return
    this.#state = 'stopped'
    this.#detector.stop()
    this.#relays.stop()
    this.#rounds.stop()
    this.#sync.stop()
    this.#context.membership.stop()
    this.#context.gossip.clear()
    this.#context.acks.clear()
    this.#settleLeave?.()
  }

  /** Alive and suspect members, ourselves included (until we leave). */
  members(): Member[] {
    return [...this.#context.membership.table.live()]
  }

  /** Whoever is remembered under that id, dead and left ones included. */
  member(id: string): Member | undefined {
    return this.#context.membership.table.get(id)?.member
  }

  /** How many `members()` there are. */
  get size(): number {
    return this.#context.membership.table.liveCount
  }

  get self(): Member {
    return this.#context.membership.self
  }

  /** 32 bits that are equal where `members()` are (their ids, instances and incarnations). */
  get digest(): number {
    return this.#context.membership.table.digest
  }

  /** Our local health score: 0 is well, `awarenessMax - 1` the worst. */
  get health(): number {
    return this.#context.awareness.score
  }

  #handle(message: SwimMessage, from: Destination): void {
    switch (message.kind) {
      case 'ping':
        this.#answer(message, from)
        break
      case 'ack':
        this.#context.acks.acked(message)
        break
      case 'nack':
        this.#context.acks.nacked(message.sequence)
        break
      case 'pingRequest':
        this.#relays.request(message, from)
        break
      case 'news': // learnt already
    }
  }

  #answer(ping: Ping, from: Destination): void {
    const { config, membership, packets } = this.#context
    const { self, table } = membership
    if (ping.target.id !== self.id) return
    if (ping.target.instance !== self.instance) {
      // Meant for the process that was here before us. It is gone: no ack, but news of us.
      membership.outbid(ping.target.incarnation)
      packets.post(from, [membership.newsOf(self.id)!])
      return
    }
    const answer = [encodeAck({ sequence: ping.sequence, instance: self.instance, digest: table.digest })]
    // Whoever we do not believe to be alive should know, and refute.
    const sender = table.get(ping.sender)?.member
    const told = sender?.state !== 'suspect' || config.buddySystem
    if (sender !== undefined && sender.state !== 'alive' && told) answer.push(membership.newsOf(sender.id)!)
    packets.post(from, answer)
  }

  /** What may be old can still ask for who is here now; it tells us nothing. */
  #answerForPredecessor(messages: readonly SwimMessage[], from: Destination): void {
    for (const message of messages) {
      if (message.kind === 'ping' && message.target.instance !== this.self.instance)
        this.#answer(message, from)
    }
  }

  #leave(): Promise<void> {
    if (this.#state === 'stopped') return Promise.resolve()
    const { clock, config, membership } = this.#context
    const alone = this.size <= 1
    this.#state = 'leaving'
    this.#detector.stop()
    return new Promise(resolve => {
      let timer: Timer | null = null
      this.#settleLeave = () => {
        timer?.cancel()
        resolve()
      }
      timer = clock.after(alone ? 0 : config.leaveTimeoutMs, () => this.#settleLeave?.())
      membership.leave(() => this.#settleLeave?.())
      this.#rounds.hurry()
    })
  }
}
