// The ring alone: a node's place in the cluster, the ring of all nodes that serve, and events for what changes hands. An
// upring without its requests.
// Source: swim-hashring 0.7 (npm), whose programs run on this by changing the import.
import { EventEmitter } from 'node:events'
import type { ClusterOptions } from '../cluster.ts'
import { ShoalError } from '../errors.ts'
import type { Key } from '../ring/tracker.ts'
import { type Log, silentLog } from '../runtime/log.ts'
import { nodeRuntime } from '../runtime/node.ts'
import type { Runtime } from '../runtime/runtime.ts'
import { Changes, type MoveEvent, type StealEvent } from '../upring/changes.ts'
import { ClusterGround } from '../upring/cluster-ground.ts'
import type { Ground } from '../upring/ground.ts'
import {
  clusterOptionsOf,
  type HashringOptions as Given,
  groundOptionsOf,
  instanceOptionsOf
} from '../upring/options.ts'
import type { Peer } from '../upring/peer.ts'
import { HELLO, Sight } from '../upring/sight.ts'

/**
 * `name` (or `ringname`), `base`, `host`, `port`, `client`, `meta`, `replicaPoints`, `hashFunc` and `joinTimeout` as of swim-hashring.
 * `host` is `127.0.0.1` unless given; another address than loopback wants `cluster.clusterKeys`, or `cluster.insecure`.
 */
export interface HashringOptions extends Given {
  /** A pino logger, or any other with its methods. By default nothing is logged. */
  logger?: Log
  /** What else a cluster can be told: `preset` (`local`, `lan`, `wan`), `advertiseHost`, `clusterKeys`. */
  cluster?: Partial<ClusterOptions>
  /** The machine's by default. */
  runtime?: Runtime
}

export interface HashringEvents {
  /** Joined, and on the ring (or a client that has joined). Once. */
  up: []
  /** Arcs of hashes that this node has lost, and won: those after `start`, up to and including `end`. */
  move: [event: MoveEvent]
  steal: [event: StealEvent]
  /** A peer is on the ring, and off it. */
  peerUp: [peer: Peer]
  peerDown: [peer: Peer]
  /** The start failed. */
  error: [error: Error]
  close: []
}

/** An instance, which starts by itself. Throws OPTION_INVALID. */
export function hashring(options: HashringOptions = {}): Hashring {
  return new Hashring(options)
}

/** Before `'up'`, whoever asks about the ring is told CLOSED. */
export class Hashring extends EventEmitter<HashringEvents> {
  readonly #ground: Ground
  readonly #log: Log
  readonly #hash: (key: unknown) => number
  readonly #sight: Sight
  /** Null before the node has joined. */
  #changes: Changes | null = null
  #closing: Promise<void> | null = null

  constructor(options: HashringOptions = {}) {
    super()
    const log = options.logger ?? options.runtime?.log ?? silentLog
    const runtime: Runtime = { ...(options.runtime ?? nodeRuntime({ log })), log }
    const name = options.ringname ?? options.name ?? 'hashring'
    // Uprings and brokers of the same name are other rings.
    const cluster = { name: `hashring:${name}`, ...options.cluster }
    const upring = { hashring: options, cluster }
    this.#log = log
    this.#hash = instanceOptionsOf({}, options.hashFunc).hash
    this.#ground = new ClusterGround(
      { cluster: clusterOptionsOf(upring), ...groundOptionsOf(upring) },
      runtime
    )
    this.#sight = new Sight(() => this.#changes?.wasDropped())
    // From the next turn on, so that the caller can listen first.
    runtime.clock.defer(() => void this.#start())
  }

  /** Who owns a key: text, bytes, or what `hash` has made of one. Null while no node serves. */
  lookup(key: Key): Peer | null {
    const { ring } = this.#joined()
    return this.#peer(ring.ids[ring.ownerIndex(this.#hash(key))])
  }

  /** Who comes next after the owner, and is none of `skip` (ids); null if there is no one left. */
  next(key: Key, skip: string | readonly string[] = []): Peer | null {
    const { ring } = this.#joined()
    const skipped = typeof skip === 'string' ? [skip] : skip
    const next = ring.replicasOf(this.#hash(key), skipped.length + 1)
    return this.#peer(next.find(id => !skipped.includes(id)))
  }

  /** Whether this node owns a key. Never a client. */
  allocatedToMe(key: Key): boolean {
    const { ring } = this.#joined()
    return ring.ids[ring.ownerIndex(this.#hash(key))] === this.#ground.id
  }

  /** The others on the ring, by id; with `myself`, this node as the last. */
  peers(myself = false): Peer[] {
    const peers = this.#joined().peers()
    return myself ? [...peers, this.mymeta()] : peers
  }

  /** This node as the others see it. */
  mymeta(): Peer {
    return this.#joined().peer(this.#ground.id)
  }

  /** The id of this node: `host:port` of its cluster address. */
  whoami(): string {
    this.#joined()
    return this.#ground.id
  }

  /** The place of a key on the ring: an integer in 0..2^32 - 1. Throws BAD_REQUEST for what is no key. */
  hash(key: Key): number {
    return this.#hash(key)
  }

  /** Leaves the ring, and closes. Settles when the others have heard of it, or should have. */
  close(done?: (error?: Error | null) => void): Promise<void> {
    this.#closing ??= this.#close()
    return done === undefined ? this.#closing : this.#closing.then(() => done(null), done)
  }

  async #start(): Promise<void> {
    if (this.#closing !== null) return
    const ground = this.#ground
    try {
      await ground.start({
        changed: () => this.#changed(),
        linkOpened: link => this.#sight.linkOpened(link),
        request: (_peer, name, _body, reply) =>
          reply.fail(new ShoalError('HANDLER_MISSING', { request: name })),
        fire: (peer, name, body) => {
          if (name === HELLO) this.#sight.hello(peer, body)
        }
      })
      this.#changes = new Changes(ground, this.#hash, {
        peerUp: peer => this.emit('peerUp', peer),
        peerDown: peer => this.emit('peerDown', peer),
        move: event => this.emit('move', event),
        steal: event => this.emit('steal', event)
      })
      this.#changed()
      await ground.serve()
    } catch (error) {
      if (this.#closing === null) this.emit('error', error as Error)
      return
    }
    if (this.#closing !== null) return
    this.#changed()
    this.#log.info({ id: ground.id, peers: this.peers().length }, 'hashring up')
    this.emit('up')
  }

  async #close(): Promise<void> {
    await this.#ground.leave()
    await this.#ground.stop()
    this.emit('close')
  }

  #changed(): void {
    this.#sight.membersChanged(new Map(this.#ground.members().map(({ id, instance }) => [id, instance])))
    this.#changes?.update()
  }

  #peer(id: string | undefined): Peer | null {
    return id === undefined ? null : this.#joined().peer(id)
  }

  #joined(): Changes {
    if (this.#changes === null) throw new ShoalError('CLOSED', { reason: 'not up yet' })
    return this.#changes
  }
}
