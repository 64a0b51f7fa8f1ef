// Publish and subscribe between the nodes of an upring, as mqemitter has it. Each node tells all others which filters it
// listens to, so that a message goes straight to the nodes that want it, and nothing moves when the ring changes: what a node
// listens to lives and dies with it.
// Source: mqemitter's interface; upring-pubsub, whose heir this is.
import { ShoalError } from '../../errors.ts'
import { messagePack } from '../../link/value.ts'
import type { Plugin, Upring } from '../../upring/api.ts'
import type { ReceivedMessage } from '../../upring/message.ts'
import { type Listener, Listeners, type ListenersOptions, type TopicMessage } from './listeners.ts'
import { Matcher } from './matcher.ts'
import { Neighbour, type News } from './neighbour.ts'

export interface PubSubOptions extends Partial<ListenersOptions> {
  /** Of its requests: two on one ring need two. The same on all nodes. Default `pubsub`. */
  readonly namespace?: string
  /** Filters that this node listens to; one more throws LIMIT_EXCEEDED. Default 10,000. */
  readonly filtersMax?: number
  /** A message, encoded, in bytes; a longer one fails with PAYLOAD_TOO_LARGE. Default 1 MiB. */
  readonly messageBytesMax?: number
}

export type EmitCallback = (error?: Error) => void

/** mqemitter's interface. */
export interface PubSub {
  /** Messages that listeners of this node are handling, and that wait for them (with `concurrency`). */
  readonly current: number
  readonly length: number
  readonly concurrency: number
  /** As `concurrency`: mqemitter's types name it so. */
  readonly concurrent: number
  readonly closed: boolean
  /** Messages that found no room: at listeners, or on the way to another node. */
  readonly dropped: number
  /** Listens to a topic, or a filter; `done` when every node knows. The same listener twice is as once. Throws LIMIT_EXCEEDED, BAD_REQUEST. */
  on(topic: string, listener: Listener, done?: () => void): this
  /**
   * To every listener in the cluster that matches. Messages of one node come in its order, each once. The callback comes when the
   * listeners here are done, and every node that listens has the message or is gone. Fails with CLOSED, LIMIT_EXCEEDED,
   * PAYLOAD_TOO_LARGE, BAD_REQUEST (what MessagePack cannot carry); then other nodes may have it.
   */
  emit(message: TopicMessage, callback?: EmitCallback): this
  removeListener(topic: string, listener: Listener, done?: () => void): this
  removeAllListeners(topic: string, done?: () => void): this
  /** Nothing is emitted or heard any more. The upring goes on. */
  close(callback?: () => void): this
}

/** `upring.use(pubsub)`; from `up` on there is `upring.pubsub`. */
export const pubsub: Plugin<PubSubOptions> = async (upring, options) => {
  if ('pubsub' in upring) throw new ShoalError('OPTION_INVALID', { use: 'pubsub is there already' })
  Object.defineProperty(upring, 'pubsub', { value: createPubSub(upring, options) })
}

/** `upring.pubsub`, typed. Throws OPTION_INVALID before the plugin is loaded. */
export function pubsubOf(upring: Upring): PubSub {
  if ('pubsub' in upring && upring.pubsub instanceof PubSubNode) return upring.pubsub
  throw new ShoalError('OPTION_INVALID', { use: 'pubsub is not loaded' })
}

/** On an upring that is not up yet. May be used at once: what is emitted waits until the node has joined. */
export function createPubSub(upring: Upring, options: PubSubOptions = {}): PubSub {
  return new PubSubNode(upring, options)
}

/** What another node has told. */
interface Known {
  readonly session: string
  /** Of the last news that were taken. */
  number: number
  readonly filters: Set<string>
}

const FILTERS_MAX = 10_000
const FILTER_LENGTH_MAX = 1024
const QUEUE_MAX = 10_000
const MESSAGE_BYTES_MAX = 1024 * 1024

class PubSubNode implements PubSub {
  readonly concurrency: number
  readonly #upring: Upring
  readonly #namespace: string
  readonly #filtersMax: number
  readonly #messageBytesMax: number
  readonly #queueMax: number
  readonly #listeners: Listeners
  /** Filters of other nodes → their ids. */
  readonly #remote: Matcher<string>
  readonly #known = new Map<string, Known>()
  readonly #neighbours = new Map<string, Neighbour>()
  /** What waits until the node has joined; null when it has. */
  #early: (() => void)[] | null = []
  /** Called when another node has said what it listens to, or is gone. */
  #heard: (() => void) | null = null
  #sessions = 0
  /** Up, and on no ring: it does not know what other clients listen to, and a node that does emits for it. */
  #isClient = false
  #isClosed = false
  #dropped = 0

  constructor(upring: Upring, options: PubSubOptions) {
    const rules = {
      separator: options.separator ?? '/',
      wildcardOne: options.wildcardOne ?? '+',
      wildcardSome: options.wildcardSome ?? '#',
      matchEmptyLevels: options.matchEmptyLevels ?? true
    }
    this.#upring = upring
    this.#namespace = options.namespace ?? 'pubsub'
    this.#filtersMax = options.filtersMax ?? FILTERS_MAX
    this.#messageBytesMax = options.messageBytesMax ?? MESSAGE_BYTES_MAX
    this.#queueMax = options.queueMax ?? QUEUE_MAX
    this.concurrency = options.concurrency ?? 0
    const { concurrency } = this
    this.#listeners = new Listeners({ ...rules, concurrency, queueMax: this.#queueMax }, this, error =>
      upring.log.error({ error }, 'listener failed')
    )
    this.#remote = new Matcher(rules)
    upring.add(`ns:${this.#namespace},cmd:news`, async request => this.#news(request))
    upring.add(`ns:${this.#namespace},cmd:relay`, async request => await this.#relay(request))
    upring.once('up', () => {
      this.#isClient = upring.mymeta().points.length === 0
    })
    upring.on('peerDown', ({ id }) => this.#gone(id))
    upring.on('peerUp', ({ id }) => void this.#neighbour(id))
    upring.use(async () => await this.#meet())
    upring.onClose(async () => {
      this.close()
    })
  }

  get concurrent(): number {
    return this.concurrency
  }

  get current(): number {
    return this.#listeners.current
  }

  get length(): number {
    return this.#listeners.queued
  }

  get closed(): boolean {
    return this.#isClosed
  }

  get dropped(): number {
    return this.#dropped
  }

  on(topic: string, listener: Listener, done?: () => void): this {
    if (topic.length === 0 || topic.length > FILTER_LENGTH_MAX)
      throw new ShoalError('BAD_REQUEST', { expected: `a filter of 1 to ${FILTER_LENGTH_MAX} characters` })
    if (this.#listeners.filterCount >= this.#filtersMax && !this.#listeners.has(topic))
      throw new ShoalError('LIMIT_EXCEEDED', { limit: 'filtersMax', max: this.#filtersMax })
    this.#announce(this.#listeners.add(topic, listener), topic, true, done)
    return this
  }

  removeListener(topic: string, listener: Listener, done?: () => void): this {
    this.#announce(this.#listeners.remove(topic, listener), topic, false, done)
    return this
  }

  removeAllListeners(topic: string, done?: () => void): this {
    this.#announce(this.#listeners.removeAll(topic), topic, false, done)
    return this
  }

  emit(message: TopicMessage, callback: EmitCallback = () => {}): this {
    if (this.#isClosed) callback(new ShoalError('CLOSED'))
    else if (this.#early === null) this.#emit(message, callback)
    else if (this.#early.length < this.#queueMax) this.#early.push(() => this.emit(message, callback))
    else callback(new ShoalError('LIMIT_EXCEEDED', { limit: 'queueMax', max: this.#queueMax }))
    return this
  }

  close(callback?: () => void): this {
    if (callback !== undefined) this.#upring.clock.defer(callback)
    if (this.#isClosed) return this
    this.#isClosed = true
    for (const neighbour of this.#neighbours.values()) neighbour.end()
    for (const run of this.#early?.splice(0) ?? []) run()
    this.#heard?.()
    return this
  }

  #emit(message: TopicMessage, callback: EmitCallback): void {
    const targets = this.#isClient ? null : this.#remote.match(message.topic)
    let left = 1
    let failure: Error | undefined
    const settled = (error?: Error): void => {
      failure ??= error
      if (--left === 0) callback(failure)
    }
    try {
      if (targets === null || targets.size > 0) {
        const bytes = this.#encode(message)
        left++
        if (targets === null) this.#viaOwner(message.topic, bytes, settled)
        else this.#tell(targets, bytes, settled)
      }
      left++
      this.#tellHere(message, settled)
    } catch (error) {
      settled(error as Error)
    }
    settled()
  }

  #tellHere(message: TopicMessage, settled: (error?: Error) => void): void {
    if (this.#listeners.tell(message, () => settled())) return
    this.#dropped++
    settled(new ShoalError('LIMIT_EXCEEDED', { limit: 'queueMax', max: this.#queueMax }))
  }

  #viaOwner(topic: string, message: Uint8Array, settled: (error?: Error) => void): void {
    const request = { ns: this.#namespace, cmd: 'relay', key: topic, from: this.#upring.whoami(), message }
    this.#upring.request(request).then(() => settled(), settled)
  }

  /** Also calls `settled` for itself. */
  #tell(targets: ReadonlySet<string>, bytes: Uint8Array, settled: (error?: Error) => void): void {
    let left = targets.size
    let failure: Error | undefined
    for (const id of targets) {
      const isTold = this.#neighbour(id).tell(bytes, () => {
        if (--left === 0) settled(failure)
      })
      if (isTold) continue
      this.#dropped++
      failure = new ShoalError('LIMIT_EXCEEDED', { limit: 'queueMax', peer: id })
      if (--left === 0) settled(failure)
    }
  }

  /** Throws BAD_REQUEST, PAYLOAD_TOO_LARGE. */
  #encode(message: TopicMessage): Uint8Array {
    const bytes = messagePack.encode(message)
    if (bytes.length <= this.#messageBytesMax) return bytes
    const { topic } = message
    throw new ShoalError('PAYLOAD_TOO_LARGE', { topic, bytes: bytes.length, bytesMax: this.#messageBytesMax })
  }

  #announce(isNews: boolean, filter: string, isWanted: boolean, done: (() => void) | undefined): void {
    let left = 1
    const settled = (): void => {
      if (--left === 0 && done !== undefined) this.#upring.clock.defer(done)
    }
    for (const neighbour of this.#neighbours.values()) {
      left++
      if (isNews) neighbour.tell([filter, isWanted], settled)
      else neighbour.flush(settled)
    }
    if (this.#early === null) settled()
    else this.#early.push(settled)
  }

  /** The node has joined: it learns what all others listen to before it is up. */
  async #meet(): Promise<void> {
    for (const { id } of this.#upring.peers()) this.#neighbour(id)
    while (!this.#isClosed && [...this.#neighbours.keys()].some(id => !this.#known.has(id)))
      await new Promise<void>(resolve => {
        this.#heard = resolve
      })
    const early = this.#early ?? []
    this.#early = null
    for (const run of early) run()
  }

  #neighbour(id: string): Neighbour {
    let neighbour = this.#neighbours.get(id)
    if (neighbour === undefined) {
      neighbour = new Neighbour(id, {
        upring: this.#upring,
        namespace: this.#namespace,
        session: () => `${this.#upring.clock.wall()}/${++this.#sessions}`,
        filters: () => this.#listeners.filters,
        queueMax: this.#queueMax,
        met: reply => this.#met(id, reply),
        gone: () => this.#gone(id)
      })
      if (this.#isClosed) neighbour.end()
      this.#neighbours.set(id, neighbour)
    }
    return neighbour
  }

  #gone(id: string): void {
    this.#neighbours.get(id)?.end()
    this.#neighbours.delete(id)
    for (const filter of this.#known.get(id)?.filters ?? []) this.#remote.remove(filter, id)
    this.#known.delete(id)
    this.#heard?.()
  }

  #news({ from, session, number, news }: ReceivedMessage): object {
    if (
      typeof from !== 'string' ||
      typeof session !== 'string' ||
      typeof number !== 'number' ||
      !Array.isArray(news)
    )
      throw new ShoalError('BAD_REQUEST', { expected: 'news' })
    const isFirst = number === 1
    let known = this.#known.get(from)
    if (known?.session !== session) {
      if (!isFirst) return { isForgotten: true }
      known = this.#begin(from, session)
    }
    const neighbour = this.#neighbour(from)
    if (number > known.number) {
      known.number = number
      for (const each of news as News[]) this.#take(from, known.filters, each)
    }
    return isFirst ? { session: neighbour.session, filters: [...this.#listeners.filters] } : {}
  }

  /** What another node listens to, as it says when it is greeted. Its own news tell the same, but a node that joins gets none before it is up. */
  #met(from: string, { session, filters }: ReceivedMessage): void {
    if (typeof session !== 'string' || !Array.isArray(filters)) return
    if (this.#known.get(from)?.session !== session) {
      const known = this.#begin(from, session)
      for (const filter of filters) this.#take(from, known.filters, [String(filter), true])
    }
    this.#heard?.()
  }

  #begin(from: string, session: string): Known {
    // Nobody tells when a client dies, which is on no ring: whoever is out of sight is asked.
    for (const neighbour of this.#neighbours.values())
      if (this.#upring.peerConn(neighbour).destroyed) neighbour.greet()
    for (const filter of this.#known.get(from)?.filters ?? []) this.#remote.remove(filter, from)
    const known = { session, number: 0, filters: new Set<string>() }
    this.#known.set(from, known)
    return known
  }

  #take(from: string, filters: Set<string>, news: News): void {
    if (news instanceof Uint8Array) return this.#hear(news)
    const [filter, isWanted] = news
    if (isWanted) {
      filters.add(filter)
      this.#remote.add(filter, from)
    } else if (filters.delete(filter)) this.#remote.remove(filter, from)
  }

  /** What it decodes keeps its own bytes: those of a link are used again. */
  #hear(bytes: Uint8Array): void {
    if (this.#isClosed) return
    const message = messagePack.decode(Buffer.from(bytes)) as TopicMessage
    this.#tellHere(message, error => {
      if (error !== undefined) this.#upring.log.warn({ topic: message.topic, error }, 'message dropped')
    })
  }

  /** A client's message, emitted here for it. Its own listeners have it already. */
  async #relay({ key, from, message }: ReceivedMessage): Promise<object> {
    if (!(message instanceof Uint8Array) || typeof key !== 'string' || typeof from !== 'string')
      throw new ShoalError('BAD_REQUEST', { expected: 'a message' })
    const bytes = new Uint8Array(message)
    const targets = this.#remote.match(key)
    targets.delete(from)
    this.#hear(bytes)
    if (targets.size === 0) return {}
    await new Promise<void>((resolve, reject) => {
      this.#tell(targets, bytes, error => (error === undefined ? resolve() : reject(error)))
    })
    return {}
  }
}
