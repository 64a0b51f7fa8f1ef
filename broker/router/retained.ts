// Retained messages across the cluster: gathering those that match a filter from their owners for a new
// subscription, and handing over to their owner those that this node does not own (any more).
import { Readable } from 'node:stream'
import type { ShoalError } from '../errors.ts'
import type { Reply } from '../link/handlers.ts'
import { Message, type QoS } from '../message.ts'
import { hashKey, shardKey } from '../ring/hash.ts'
import { isWildcard, matches, validateFilter } from '../topics/filter.ts'
import type { Subscription } from '../topics/subscription.ts'
import { integer, list, record, text } from './control.ts'
import type { Peer } from './peer.ts'
import type { Router } from './router.ts'

/** A scan that nobody has started this long after its subscription is forgotten. */
const WATCH_MS = 5000
const SCAN_TIMEOUT_MS = 10_000
const HANDOVER_TIMEOUT_MS = 10_000
/** Retained messages in one handover request: so many, or so many bytes. */
const HANDOVER_PIECE = 500
const HANDOVER_PIECE_BYTES = 256 * 1024

/** While a subscription's retained messages are on their way, newer ones that came live; so that an old one is left out. */
interface Watch {
  readonly filter: string
  readonly seen: Map<string, { epoch: number; offset: number }>
}

export class Scanning {
  readonly #router: Router
  readonly #watches = new Map<Subscription, Watch>()

  constructor(router: Router) {
    this.#router = router
    router.control.onRequest('retained.scan', (peer, body, reply) => this.#answerScan(peer, body, reply))
    router.control.onRequest('retained.put', (_peer, body) => this.#take(body))
  }

  /** From now on live messages are noted, for a scan that may follow. */
  watch(subscription: Subscription): void {
    this.#watches.set(subscription, { filter: subscription.filter, seen: new Map() })
    this.#router.clock.after(WATCH_MS, () => this.#watches.delete(subscription))
  }

  /** A message with RETAIN set has been delivered here live. */
  saw(message: Message): void {
    for (const watch of this.#watches.values()) {
      if (matches(watch.filter, message.topic.name)) {
        watch.seen.set(message.topic.name, { epoch: message.epoch, offset: message.offset })
      }
    }
  }

  /** Delivers to the subscriber what is retained for its filter, each topic once. An owner that dies is left out. */
  async scan(subscription: Subscription): Promise<void> {
    const { view } = this.#router
    const filter = subscription.filter
    const watch = this.#watches.get(subscription) ?? { filter, seen: new Map() }
    const owners = isWildcard(filter) ? view.ring.ids.map(id => view.peer(id)) : [this.#ownerOf(filter)]
    const scans = owners.map(owner => {
      if (owner === null) return Promise.resolve()
      return owner === view.self
        ? this.#scanHere(subscription, watch)
        : this.#scanThere(owner, subscription, watch)
    })
    await Promise.all(scans)
    this.#watches.delete(subscription)
  }

  /** Sends what this node does not own to its owner, and forgets it when the owner has it. Settles when all was tried. */
  async handOver(): Promise<void> {
    const { view, retained } = this.#router
    const batches = new Map<Peer, { entries: object[]; topics: string[]; bytes: number }>()
    const sent: Promise<void>[] = []
    for (const entry of [...retained.entries()]) {
      const owner = this.#ownerOf(entry.topic)
      if (owner === null || owner === view.self || owner.link === null) continue
      const batch = batches.get(owner) ?? { entries: [], topics: [], bytes: 0 }
      batches.set(owner, batch)
      batch.entries.push(
        entry.message === null ? { topic: entry.topic, stamp: entry.stamp } : pack(entry.message, entry.stamp)
      )
      batch.topics.push(entry.topic)
      batch.bytes += entry.topic.length + (entry.message?.payloadEnd ?? 0)
      if (batch.entries.length >= HANDOVER_PIECE || batch.bytes >= HANDOVER_PIECE_BYTES) {
        sent.push(this.#put(owner, batch.entries, batch.topics))
        batches.delete(owner)
      }
    }
    for (const [owner, batch] of batches) sent.push(this.#put(owner, batch.entries, batch.topics))
    await Promise.all(sent)
  }

  #put(owner: Peer, entries: object[], topics: string[]): Promise<void> {
    return new Promise(resolve => {
      const done = (error: ShoalError | null): void => {
        if (error === null) {
          for (const topic of topics)
            if (this.#ownerOf(topic) !== this.#router.self) this.#router.retained.delete(topic)
        }
        resolve()
      }
      if (owner.link === null) resolve()
      else owner.link.requestCallback('retained.put', { entries }, HANDOVER_TIMEOUT_MS, done)
    })
  }

  #take(body: Readonly<Record<string, unknown>>): object {
    const router = this.#router
    for (const value of list(body, 'entries')) {
      const entry = record(value)
      const stamp = integer(entry, 'stamp')
      router.hybridClock.merge(stamp)
      if (entry['payload'] === undefined) router.retained.clear(text(entry, 'topic'), stamp)
      else router.retain(this.#unpack(entry), stamp)
    }
    return {}
  }

  async #answerScan(_peer: Peer, body: Readonly<Record<string, unknown>>, reply: Reply): Promise<undefined> {
    const filter = text(body, 'filter')
    validateFilter(filter)
    await this.#router.agreement(SCAN_TIMEOUT_MS / 2)
    reply.send({}, { messages: Readable.from(this.#packed(filter), { objectMode: true }) })
    return undefined
  }

  *#packed(filter: string): Generator<object> {
    for (const message of this.#router.retained.match(filter)) yield pack(message, 0)
  }

  async #scanHere(subscription: Subscription, watch: Watch): Promise<void> {
    await this.#router.agreement(SCAN_TIMEOUT_MS / 2)
    for (const message of this.#router.retained.match(subscription.filter))
      this.#give(subscription, watch, message)
  }

  async #scanThere(owner: Peer, subscription: Subscription, watch: Watch): Promise<void> {
    if (owner.link === null) return
    try {
      const { streams } = await owner.link.request(
        'retained.scan',
        { filter: subscription.filter },
        { timeoutMs: SCAN_TIMEOUT_MS }
      )
      for await (const entry of streams['messages'] ?? []) {
        this.#give(subscription, watch, this.#unpack(record(entry)))
      }
    } catch (error) {
      this.#router.log.warn(
        { owner: owner.id, filter: subscription.filter, error },
        'retained scan incomplete'
      )
    }
  }

  #give(subscription: Subscription, watch: Watch, message: Message): void {
    const seen = watch.seen.get(message.topic.name)
    if (seen !== undefined) {
      const isOlder =
        message.epoch < seen.epoch || (message.epoch === seen.epoch && message.offset <= seen.offset)
      if (isOlder) return
    }
    subscription.subscriber.deliver(message, subscription, true)
  }

  #unpack(entry: Readonly<Record<string, unknown>>): Message {
    const payload = entry['payload']
    const properties = entry['properties']
    const bytes = payload instanceof Uint8Array ? payload : new Uint8Array(0)
    const message = new Message(
      this.#router.topics.get(text(entry, 'topic')),
      bytes,
      0,
      bytes.length,
      Math.min(2, Math.max(0, integer(entry, 'qos'))) as QoS,
      true
    )
    message.properties = properties instanceof Uint8Array ? properties : null
    message.epoch = integer(entry, 'epoch')
    message.offset = integer(entry, 'offset')
    return message
  }

  #ownerOf(topic: string): Peer | null {
    const { view, options } = this.#router
    return view.ownerOf(hashKey(shardKey(topic, options.shardLevels)))
  }
}

function pack(message: Message, stamp: number): object {
  return {
    topic: message.topic.name,
    payload: message.payload(),
    properties: message.properties,
    qos: message.qos,
    epoch: message.epoch,
    offset: message.offset,
    stamp
  }
}
