// A node's place in the cluster: its sockets (gossip and links on the same port number), SWIM, and one
// link to every member. What the members mean for topics or keys is the business of those who stand on it:
// the router of a broker, or an upring alone.
import type { Duplex } from 'node:stream'
import type { ClusterKeys } from './cluster-keys.ts'
import { isLoopback } from './config.ts'
import { ShoalError } from './errors.ts'
import type { Identity, Reply } from './link/handlers.ts'
import { KeyProof } from './link/key-proof.ts'
import type { Link } from './link/link.ts'
import { Links, type LinksEvents } from './link/links.ts'
import { hashKey } from './ring/hash.ts'
import type { Address, DatagramSocket, Listener } from './runtime/network.ts'
import type { Runtime } from './runtime/runtime.ts'
import {
  type Change,
  KeyedSeal,
  type Member,
  type Meta,
  parseId,
  Swim,
  type SwimOptions,
  type SwimPreset,
  swimPresets
} from './swim/index.ts'

/** Where a node stands: only `serving` nodes are on the ring. */
export type Phase = 'joining' | 'serving' | 'leaving'

export interface ClusterOptions {
  /** Ring name: nodes of another name are refused. */
  name: string
  /** Address to bind the cluster port on. */
  clusterHost: string
  /** UDP for gossip and TCP for links; 0: any that is free for both. */
  clusterPort: number
  /** The host by which the others reach this node; default: `clusterHost`. */
  advertiseHost: string
  /** Addresses (`host:port`) of nodes to join; our own is skipped. Empty: start a cluster. */
  base: readonly string[]
  /** A gateway only: owns nothing. */
  client: boolean
  /** Timing of SWIM. */
  preset: SwimPreset
  linkBufferBytesMax: number
  /** Seals gossip, and is proved on links: nodes with no key in common refuse each other. Without it, nodes that have one. */
  clusterKeys?: ClusterKeys
  /** Without keys, `clusterHost` must be this machine's loopback, unless this is true. */
  insecure?: boolean
  /** What else the node says of itself to every other; with the cluster's own at most 512 bytes. */
  meta?: Readonly<Meta>
}

/** Who gets what comes over the links, but for the cluster's own requests. */
export type ClusterHandlers = Omit<LinksEvents, 'refused' | 'lost'>

export interface ClusterEvents {
  /** Members, their phase or instance have changed. */
  membersChanged(): void
}

/** On the ring of `ringName`: it serves, and is more than a gateway. */
export function isServing({ meta }: Member, ringName: string): boolean {
  return meta['phase'] === 'serving' && meta['client'] !== true && meta['ring'] === ringName
}

const PORT_TRIES = 20
const LINK_POLL_MS = 10
const JOIN_RETRY_MS = 500
const DIAL_TIMEOUT_MS = 5000
const PING_TIMEOUT_MS = 1000

export class Cluster {
  readonly self: Identity
  readonly #options: ClusterOptions
  readonly #runtime: Runtime
  readonly #events: ClusterEvents
  readonly #links: Links
  readonly #swim: Swim
  readonly #listener: Listener
  readonly #socket: DatagramSocket
  #phase: Phase = 'joining'
  #stopped = false
  /** Changes that come together are told once. */
  #changesPending = false

  private constructor(
    sockets: Sockets,
    self: Identity,
    options: ClusterOptions,
    runtime: Runtime,
    handlers: ClusterHandlers,
    events: ClusterEvents
  ) {
    this.self = self
    this.#options = options
    this.#runtime = runtime
    this.#events = events
    this.#listener = sockets.listener
    this.#socket = sockets.socket
    const { clusterKeys } = options
    this.#links = new Links({
      runtime,
      self,
      ring: options.name,
      handlers: this.#watching(handlers),
      ...(clusterKeys === undefined ? {} : { proof: new KeyProof(clusterKeys, runtime.random) }),
      // The router keeps its messages to the first half; the rest is for what must not be dropped.
      options: { bufferBytesMax: 2 * options.linkBufferBytesMax }
    })
    this.#swim = new Swim({
      id: self.id,
      instance: self.instance,
      meta: this.#meta(),
      runtime,
      send: (packet, to) => sockets.socket.send(packet, to),
      transport: {
        ping: async id => {
          await this.#linkTo(id).request('swim.ping', {}, { timeoutMs: PING_TIMEOUT_MS })
        },
        pushPull: async (address, state) => {
          const link = this.#links.get(address) ?? (await this.#links.dial(addressOf(address)))
          const { body } = await link.request('swim.sync', state, { timeoutMs: DIAL_TIMEOUT_MS })
          if (!(body instanceof Uint8Array)) throw new ShoalError('BAD_REQUEST', { expected: 'bytes' })
          return body
        }
      },
      config: swimPresets[options.preset],
      ring: hashKey(options.name),
      ...(clusterKeys === undefined ? {} : seals(clusterKeys, self.instance)),
      onChange: (member, change) => this.#memberChanged(member, change)
    })
    sockets.accept = (stream, from) => this.#links.accept(stream, from)
    sockets.receive = (packet, from) => this.#swim.receive(packet, from)
  }

  /** Binds both sockets, and starts to gossip. Throws PORT_IN_USE; OPTION_INVALID where strangers could reach the port. */
  static async start(
    options: ClusterOptions,
    runtime: Runtime,
    build: (self: Identity) => { handlers: ClusterHandlers; events: ClusterEvents }
  ): Promise<Cluster> {
    assertSecured(options)
    const sockets = await bind(options, runtime)
    const port = sockets.listener.address.port
    const instance = hexadecimal(runtime.random.bytes(8))
    const self = { id: `${options.advertiseHost}:${port}`, instance }
    const { handlers, events } = build(self)
    const cluster = new Cluster(sockets, self, options, runtime, handlers, events)
    cluster.#swim.start()
    return cluster
  }

  /** What came from strangers, or a second time, and was not taken. */
  get counters(): {
    gossipRefused: number
    gossipReplayed: number
    gossipStray: number
    linksRefused: number
  } {
    const { packetsInvalid, packetsReplayed, packetsStray } = this.#swim.counters
    const gossip = {
      gossipRefused: packetsInvalid,
      gossipReplayed: packetsReplayed,
      gossipStray: packetsStray
    }
    return { ...gossip, linksRefused: this.#links.refusals.count }
  }

  get phase(): Phase {
    return this.#phase
  }

  /** All that are not dead and not gone, this node included. */
  members(): readonly Member[] {
    return this.#swim.members()
  }

  isMember(id: string, instance: string): boolean {
    return this.#swim.members().some(member => member.id === id && member.instance === instance)
  }

  links(): Iterable<Link> {
    return this.#links.all()
  }

  link(id: string): Link | null {
    return this.#links.get(id)
  }

  /** Links to all members are up. */
  get isLinked(): boolean {
    return this.members().every(({ id }) => id === this.self.id || this.#links.get(id) !== null)
  }

  /** Settles when links to all members are up, when `timeoutMs` have passed, or when the node is stopped. */
  async linked(timeoutMs: number): Promise<void> {
    const deadline = this.#runtime.clock.now() + timeoutMs
    while (!this.isLinked && !this.#stopped && this.#runtime.clock.now() < deadline)
      await this.pause(LINK_POLL_MS)
  }

  /** Joins by the base nodes; tries until one answers or the node is stopped. */
  async join(): Promise<void> {
    const base = this.#options.base.filter(address => address !== this.self.id)
    for (let attempt = 1; base.length > 0 && !this.#stopped; attempt++) {
      try {
        await this.#swim.join(base)
        return
      } catch (error) {
        const reason =
          error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error)
        this.#runtime.log.warn({ base, attempt, reason }, 'no base node answers, trying again')
        await this.pause(Math.min(JOIN_RETRY_MS * attempt, 5000))
      }
    }
  }

  /** Joins by these addresses, now. Rejects with JOIN_FAILED when none of them answers, and CLOSED. */
  async meet(addresses: readonly string[]): Promise<void> {
    await this.#swim.join([...addresses])
  }

  /** Tells every member, by gossip and at once by the links. */
  async setPhase(phase: Phase): Promise<void> {
    this.#phase = phase
    this.#swim.setMeta(this.#meta())
    this.#events.membersChanged()
    const peers = [...this.#links.all()].map(link => link.peer.id)
    if (peers.length === 0) return
    await this.#swim
      .join(peers)
      .catch(error => this.#runtime.log.debug({ phase, error }, 'phase told by gossip only'))
  }

  /** A closed cluster is silent: leaves (others need no suspicion), closes links and sockets. */
  async stop(): Promise<void> {
    if (this.#stopped) return
    this.#stopped = true
    // Who hears that we leave closes the link: it must not be dialled again.
    this.#links.rest()
    await this.#swim.leave()
    this.#swim.stop()
    await this.#links.close()
    this.#socket.close()
    await this.#listener.close()
  }

  pause(delayMs: number): Promise<void> {
    return new Promise(resolve => {
      this.#runtime.clock.after(delayMs, resolve)
    })
  }

  #meta(): Meta {
    const { client, name, meta } = this.#options
    return { ...meta, phase: this.#phase, client, ring: name }
  }

  /** Answers the cluster's own requests, and lets SWIM know what links say about members. */
  #watching(handlers: ClusterHandlers): LinksEvents {
    return {
      topic: name => handlers.topic(name),
      origin: instance => handlers.origin(instance),
      publish: (link, message) => handlers.publish(link, message),
      deliver: (link, message) => handlers.deliver(link, message),
      barrier: link => handlers.barrier(link),
      publishAck: (link, origin, first, last, reason) =>
        handlers.publishAck(link, origin, first, last, reason),
      deliverAck: (link, count) => handlers.deliverAck(link, count),
      fire: (link, name, body) => handlers.fire(link, name, body),
      congested: (link, congested) => handlers.congested(link, congested),
      opened: link => handlers.opened(link),
      closed: (link, reason) => handlers.closed(link, reason),
      request: (link, name, body, reply) => {
        if (name === 'swim.ping') reply.send({})
        else if (name === 'swim.sync') this.#sync(body, reply)
        else handlers.request(link, name, body, reply)
      },
      // When nobody listens there any more, SWIM wants to know.
      refused: (id, code) => {
        if (code === 'ECONNREFUSED') this.#swim.hint(id, 'refused')
      },
      lost: id => this.#swim.hint(id, 'reset')
    }
  }

  #sync(state: unknown, reply: Reply): void {
    try {
      if (!(state instanceof Uint8Array)) throw new ShoalError('BAD_REQUEST', { expected: 'bytes' })
      reply.send(this.#swim.receivePushPull(state))
    } catch (error) {
      if (!(error instanceof ShoalError)) throw error
      reply.fail(error)
    }
  }

  #linkTo(id: string): Link {
    const link = this.#links.get(id)
    if (link === null) throw new ShoalError('PEER_UNKNOWN', { peer: id })
    return link
  }

  #memberChanged(member: Member, change: Change): void {
    this.#runtime.log.debug({ member: member.id, change, incarnation: member.incarnation }, 'member changed')
    if (change === 'died' || change === 'left') this.#links.unwant(member.id)
    else if (member.id !== this.self.id) this.#links.want(member.id)
    if (this.#changesPending) return
    this.#changesPending = true
    this.#runtime.clock.defer(() => {
      this.#changesPending = false
      this.#events.membersChanged()
    })
  }
}

function assertSecured({ clusterHost, clusterKeys, insecure }: ClusterOptions): void {
  if (clusterKeys !== undefined || insecure === true || isLoopback(clusterHost)) return
  const allowed = 'an address of loopback, unless there are clusterKeys, or insecure is true'
  throw new ShoalError('OPTION_INVALID', { option: 'clusterHost', value: clusterHost, allowed })
}

function seals(keys: ClusterKeys, instance: string): Pick<SwimOptions, 'seal' | 'stateSeal'> {
  return {
    seal: new KeyedSeal({ keys, instance, purpose: 'packet' }),
    stateSeal: new KeyedSeal({ keys, instance, purpose: 'state' })
  }
}

interface Sockets {
  listener: Listener
  socket: DatagramSocket
  accept: (stream: Duplex, from: Address) => void
  receive: (packet: Uint8Array, from: Address) => void
}

/** Both sockets on one port number. With port 0, another is tried when the other protocol has it taken. */
async function bind(options: ClusterOptions, runtime: Runtime): Promise<Sockets> {
  const host = options.clusterHost
  for (let attempt = 1; ; attempt++) {
    const sockets: Partial<Sockets> = { accept: stream => stream.destroy(), receive: () => {} }
    try {
      const at = { host, port: options.clusterPort }
      sockets.listener = await runtime.network.listen(at, (stream, from) => sockets.accept?.(stream, from))
      const port = sockets.listener.address.port
      sockets.socket = await runtime.network.datagram({ host, port }, (packet, from) =>
        sockets.receive?.(packet, from)
      )
      return sockets as Sockets
    } catch (error) {
      await sockets.listener?.close()
      const inUse = (error as { code?: unknown }).code === 'EADDRINUSE'
      if (inUse && options.clusterPort === 0 && attempt < PORT_TRIES) continue
      if (inUse)
        throw new ShoalError('PORT_IN_USE', { host, port: options.clusterPort, for: 'cluster' }, error)
      throw error
    }
  }
}

function hexadecimal(bytes: Uint8Array): string {
  return Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('')
}

function addressOf(id: string): Address {
  const address = parseId(id)
  if (address === null)
    throw new ShoalError('OPTION_INVALID', { option: 'base', value: id, allowed: 'host:port' })
  return address
}
