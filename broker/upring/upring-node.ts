// The instance: joins the parts, each a file of this folder, in the order of a life. avvio loads plugins between the
// moment at which the node has joined and that at which it serves; so their patterns are there before the first key is.
//
//   start → joined → plugins → ready → serving → up …… close → off the ring → onClose of plugins → drained → closed
import { EventEmitter } from 'node:events'
import avvio from 'avvio'
import { ShoalError } from '../errors.ts'
import type { Tracker } from '../ring/tracker.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Log } from '../runtime/log.ts'
import type { Runtime } from '../runtime/runtime.ts'
import type { Upring, UpringEvents } from './api.ts'
import { Changes } from './changes.ts'
import { ask, type PeerConnection } from './connection.ts'
import { Dispatch } from './dispatch.ts'
import type { Ground, GroundEvents } from './ground.ts'
import { Inbound } from './inbound.ts'
import type {
  ErrorCallback,
  Handler,
  Key,
  Keyed,
  Pattern,
  ReceivedMessage,
  RequestCallback,
  RequestOptions,
  Schema
} from './message.ts'
import { addMonitoring } from './monitoring.ts'
import type { InstanceOptions } from './options.ts'
import type { Peer } from './peer.ts'
import { type Destination, Routing } from './routing.ts'
import { HELLO, Sight } from './sight.ts'

const DRAIN_POLL_MS = 5

export class UpringNode extends EventEmitter<UpringEvents> implements Upring {
  readonly info: Record<string, unknown> = {}
  readonly log: Log
  // Made by avvio, in the constructor.
  declare readonly use: Upring['use']
  declare readonly after: Upring['after']
  declare ready: Upring['ready']
  declare readonly onClose: Upring['onClose']
  declare readonly closePlugins: () => Promise<void>
  readonly #options: InstanceOptions
  readonly #runtime: Pick<Runtime, 'clock' | 'log'>
  readonly #ground: Ground
  readonly #dispatch: Dispatch
  readonly #routing: Routing
  readonly #inbound: Inbound
  readonly #sight: Sight
  /** Null before the node has joined. */
  #changes: Changes | null = null
  #isUp = false
  /** What the start failed with. */
  #failure: Error | null = null
  /** Somebody has called `ready`. */
  #isAwaited = false
  #closing: Promise<void> | null = null

  constructor(ground: Ground, options: InstanceOptions, runtime: Pick<Runtime, 'clock' | 'log'>) {
    super()
    // Whoever waits for the ring to change listens here.
    this.setMaxListeners(0)
    this.log = runtime.log
    this.#runtime = runtime
    this.#options = options
    this.#ground = ground
    this.#dispatch = new Dispatch(runtime.log, {
      prerequest: () => (this.listenerCount('prerequest') === 0 ? null : this.#prerequest),
      request: (request, reply) => this.emit('request', request, reply)
    })
    this.#routing = new Routing({
      ground,
      dispatch: this.#dispatch,
      clock: runtime.clock,
      hash: options.hash,
      requestsMax: options.requestsMax
    })
    this.#inbound = new Inbound({
      ground,
      dispatch: this.#dispatch,
      routing: this.#routing,
      log: runtime.log,
      hash: options.hash,
      requestTimeoutMs: options.requestTimeoutMs
    })
    this.#sight = new Sight(() => {
      this.log.warn({}, 'this node was taken for dead')
      this.#changes?.wasDropped()
    })
    const boot = avvio<Upring>(this as Upring, { expose: { close: 'closePlugins' } })
    boot.use(this.#start.bind(this))
    // The first to be told of a failure, which goes on to those who are ready for it.
    this.ready((error, done: (error: Error | null) => void) => {
      this.#failure = error
      done(error)
    })
    const ready: Upring['ready'] = this.ready.bind(this)
    this.ready = ((callback: () => void) => {
      this.#isAwaited = true
      return ready(callback)
    }) as Upring['ready']
    boot.on('start', () => (this.#failure === null ? void this.#serve() : this.#fail(this.#failure)))
    this.onClose(() => this.#stop())
  }

  get logger(): Log {
    return this.log
  }

  get clock(): Clock {
    return this.#runtime.clock
  }

  get digest(): number {
    return this.#joined().ring.digest
  }

  /** What plugins of upring call the ring by. */
  get _hashring(): Upring {
    return this
  }

  get isReady(): boolean {
    return this.#isUp && this.#closing === null
  }

  get counters(): Upring['counters'] {
    return { ...this.#routing.counters, handled: this.#dispatch.handled }
  }

  add<Request = ReceivedMessage, Reply = unknown>(
    pattern: Pattern,
    schema: Schema | Handler<Request, Reply>,
    handler?: Handler<Request, Reply>
  ): this {
    const { patterns } = this.#dispatch
    const isFirst = patterns.size === 0
    if (typeof schema === 'function') patterns.add(pattern, null, schema as Handler)
    else if (handler === undefined) throw new ShoalError('OPTION_INVALID', { add: 'needs a handler' })
    else patterns.add(pattern, schema, handler as Handler)
    if (isFirst) addMonitoring(this, this.#runtime.clock)
    return this
  }

  request<Reply, Message extends Keyed>(message: Message, callback: RequestCallback<Reply>): this
  request<Reply, Message extends Keyed>(message: Message, options?: RequestOptions): Promise<Reply>
  request<Reply, Message extends Keyed>(
    message: Message,
    last?: RequestCallback<Reply> | RequestOptions
  ): this | Promise<Reply> {
    return this.#ask<Reply>(message, { key: message.key }, last) ?? this
  }

  requestp<Reply, Message extends Keyed>(message: Message, options?: RequestOptions): Promise<Reply> {
    return this.request<Reply, Message>(message, options)
  }

  fire<Message extends Keyed>(message: Message, callback?: ErrorCallback): this {
    this.#fire(message, { key: message.key }, callback)
    return this
  }

  peerConn({ id }: { readonly id: string }): PeerConnection {
    const ground = this.#ground
    const to = { peer: id }
    return {
      peerId: id,
      get destroyed() {
        return id !== ground.id && ground.link(id) === null
      },
      request: <Reply>(message: object, last?: RequestCallback<Reply> | RequestOptions) =>
        this.#ask<Reply>(message, to, last) as Promise<Reply>,
      fire: (message, callback) => this.#fire(message, to, callback)
    }
  }

  peers(myself = false): Peer[] {
    const peers = this.#joined().peers()
    return myself ? [...peers, this.mymeta()] : peers
  }

  mymeta(): Peer {
    return this.#joined().peer(this.#ground.id)
  }

  whoami(): string {
    this.#joined()
    return this.#ground.id
  }

  async join(peers: string | readonly string[], callback?: ErrorCallback): Promise<void> {
    const joined = this.#ground.join(typeof peers === 'string' ? [peers] : peers)
    await (callback === undefined ? joined : joined.then(() => callback(null), callback))
  }

  allocatedToMe(key: Key): boolean {
    return this.#changes !== null && this.#ownerOf(key) === this.#ground.id
  }

  lookup(key: Key): Peer | null {
    const owner = this.#ownerOf(key)
    return owner === undefined ? null : this.#joined().peer(owner)
  }

  next(key: Key, skip: string | readonly string[] = []): Peer | null {
    const { ring } = this.#joined()
    const skipped = typeof skip === 'string' ? [skip] : skip
    const id = ring.replicasOf(this.hash(key), skipped.length + 1).find(each => !skipped.includes(each))
    return id === undefined ? null : this.#joined().peer(id)
  }

  hash(key: Key): number {
    return this.#options.hash(key)
  }

  track(key: Key, options?: { replica?: boolean }): Tracker<Peer> {
    return this.#joined().trackers.track(key, options)
  }

  replica(key: Key, callback: () => void): void {
    this.#joined().trackers.replica(key, callback)
  }

  close(callback?: ErrorCallback): Promise<void> {
    this.#closing ??= this.#close()
    if (callback === undefined) return this.#closing
    return this.#closing.then(() => callback(null), callback)
  }

  #ask<Reply>(
    message: object,
    to: Destination,
    last: RequestCallback<Reply> | RequestOptions | undefined
  ): Promise<Reply> | null {
    const callback = typeof last === 'function' ? last : null
    const given = typeof last === 'object' ? last.timeoutMs : undefined
    const timeoutMs = given ?? this.#options.requestTimeoutMs
    return ask(settled => this.#routing.request(message, to, timeoutMs, settled), callback)
  }

  #fire(message: object, to: Destination, callback: ErrorCallback | undefined): void {
    this.#routing.fire(message, to, this.#options.requestTimeoutMs, error => {
      if (error !== null) this.log.debug({ error }, 'fire failed')
      callback?.(error)
    })
  }

  #prerequest = (request: ReceivedMessage): void => {
    this.emit('prerequest', request)
  }

  #ownerOf(key: Key): string | undefined {
    const { ring } = this.#joined()
    return ring.ids[ring.ownerIndex(this.hash(key))]
  }

  #joined(): Changes {
    if (this.#changes === null) throw new ShoalError('CLOSED', { reason: 'not joined yet' })
    return this.#changes
  }

  /** The first plugin: joins, so that those after it know the ring. */
  async #start(): Promise<void> {
    await this.#ground.start(this.#groundEvents())
    this.#changes = new Changes(this.#ground, this.#options.hash, {
      peerUp: peer => this.emit('peerUp', peer),
      peerDown: peer => this.emit('peerDown', peer),
      move: event => this.emit('move', event),
      steal: event => this.emit('steal', event)
    })
    this.#changed()
    this.#routing.ready()
  }

  async #serve(): Promise<void> {
    if (this.#closing !== null) return
    try {
      this.#inbound.ready()
      await this.#ground.serve()
    } catch (error) {
      this.#fail(error as Error)
      return
    }
    if (this.#closing !== null) return
    this.#changed()
    this.#isUp = true
    this.log.info({ id: this.#ground.id, peers: this.peers().length }, 'upring up')
    this.emit('up')
  }

  /** As an `error` event, which nobody may ignore but who was told by `ready`. A node that is being closed has not failed. */
  #fail(error: Error): void {
    if (this.#closing !== null || (this.#isAwaited && this.listenerCount('error') === 0)) return
    this.emit('error', error)
  }

  async #close(): Promise<void> {
    await this.#ground.leave()
    await this.closePlugins()
  }

  /** The last to be closed. */
  async #stop(): Promise<void> {
    const { clock } = this.#runtime
    const deadline = clock.now() + this.#options.drainTimeoutMs
    while (this.#dispatch.unanswered > 0 && clock.now() < deadline)
      await new Promise<void>(resolve => clock.after(DRAIN_POLL_MS, resolve))
    this.#changes?.trackers.clear()
    this.#routing.close()
    await this.#ground.stop()
    this.log.info({ id: this.#ground.id }, 'upring closed')
    this.emit('close')
  }

  #changed(): void {
    this.#sight.membersChanged(new Map(this.#ground.members().map(({ id, instance }) => [id, instance])))
    this.#changes?.update()
    this.#routing.wake()
  }

  #groundEvents(): GroundEvents {
    return {
      changed: () => this.#changed(),
      linkOpened: link => {
        this.#sight.linkOpened(link)
        this.#routing.wake()
      },
      request: (_peer, name, body, reply) => this.#inbound.request(name, body, reply),
      fire: (peer, name, body) => {
        if (name === HELLO) this.#sight.hello(peer, body)
        else this.#inbound.fire(peer.id, name, body)
      }
    }
  }
}
