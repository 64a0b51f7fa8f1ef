// Retained messages across the cluster: gathering those that match a filter from their owners for a new
// subscription, and handing over to their owner those that this node does not own (any more).
import { Readable } from 'node:stream'
import { ShoalError } from '../errors.ts'
import type { Reply } from '../link/handlers.ts'
import { Message, type QoS } from '../message.ts'
import { hashKey, shardKey } from '../ring/hash.ts'
import { isWildcard, matches, validateFilter } from '../topics/filter.ts'
import type { RetainedEntry } from '../topics/retained.ts'
import type { Subscription } from '../topics/subscription.ts'
import { integer, list, record, text } from './control.ts'
import type { Peer } from './peer.ts'
import type { Router } from './router.ts'

/** A scan that nobody has started this long after its subscription is forgotten. */
const WATCH_MS = 5000
const SCAN_TIMEOUT_MS = 10_000
/** A scan is begun again while the ring changes, for so long. */
const SCAN_GIVE_UP_MS = 30_000
const RETRY_MS = 100
/** How often a subscriber that is busy is looked at again. */
const BUSY_MS = 10
const HANDOVER_TIMEOUT_MS = 10_000
/** Retained messages in one handover request: so many, or so many bytes. */
const HANDOVER_PIECE = 500
const HANDOVER_PIECE_BYTES = 256 * 1024

/** While a subscription's retained messages are on their way, newer ones that came live; so that an old one is left out. */
interface Watch {
  readonly filter: string
  readonly seen: Map<string, { epoch: number; offset: number }>
  isScanning: boolean
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
    const watch: Watch = { filter: subscription.filter, seen: new Map(), isScanning: false }
    this.#watches.set(subscription, watch)
    this.#router.clock.after(WATCH_MS, () => {
      if (!watch.isScanning) this.#watches.delete(subscription)
    })
  }

  /** A message with RETAIN set has been delivered here live. */
  saw(message: Message): void {
    for (const watch of this.#watches.values()) {
      if (matches(watch.filter, message.topic.name)) {
        watch.seen.set(message.topic.name, { epoch: message.epoch, offset: message.offset })
      }
    }
  }

  /** Delivers to the subscriber what is retained for its filter, each topic once. Gives up, and logs it, after a while. */
  async scan(subscription: Subscription): Promise<void> {
    const router = this.#router
    const filter = subscription.filter
    const watch = this.#watches.get(subscription) ?? { filter, seen: new Map(), isScanning: true }
    watch.isScanning = true
    const given = new Set<string>()
    const deadline = router.clock.now() + SCAN_GIVE_UP_MS
    for (;;) {
      const ring = router.view.ring
      const isWhole = await this.#scanRing(subscription, watch, given)
      if ((isWhole && router.view.ring === ring) || router.closed) break
      if (router.clock.now() > deadline) {
        router.log.warn({ filter }, 'retained scan given up')
        break
      }
      await router.pause(RETRY_MS)
    }
    this.#watches.delete(subscription)
  }

  /** Sends what this node does not own to its owner, and forgets it when the owner has it. Settles when it is done, or the ring has changed. */
  async handOver(): Promise<void> {
    const { view, retained } = this.#router
    const byOwner = new Map<Peer, RetainedEntry[]>()
    for (const entry of retained.entries()) {
      const owner = this.#ownerOf(entry.topic)
      if (owner === null || owner === view.self) continue
      const entries = byOwner.get(owner) ?? []
      byOwner.set(owner, entries)
      entries.push(entry)
    }
    await Promise.all([...byOwner].map(([owner, entries]) => this.#handOverTo(owner, entries)))
  }

  /** Piece by piece, each when the one before is in, so that it never fills the link. */
  async #handOverTo(owner: Peer, entries: readonly RetainedEntry[]): Promise<void> {
    const { view } = this.#router
    const ring = view.ring
    let at = 0
    while (at < entries.length) {
      const piece: RetainedEntry[] = []
      for (let bytes = 0; at < entries.length && piece.length < HANDOVER_PIECE; at++) {
        bytes += bytesOf(entries[at]!)
        // One that is large goes alone: together with others it might fit no frame.
        if (piece.length > 0 && bytes > HANDOVER_PIECE_BYTES) break
        piece.push(entries[at]!)
      }
      while (!(await this.#put(owner, piece))) {
        if (owner.gone || view.ring !== ring || this.#router.closed) return
        await this.#router.pause(RETRY_MS)
      }
    }
  }

  /** False if the owner may not have it. */
  #put(owner: Peer, piece: readonly RetainedEntry[]): Promise<boolean> {
    const { link } = owner
    if (link === null) return Promise.resolve(false)
    const entries = piece.map(({ topic, message, stamp }) =>
      message === null ? { topic, stamp } : pack(message, stamp)
    )
    return new Promise(resolve => {
      link.requestCallback('retained.put', { entries }, HANDOVER_TIMEOUT_MS, error => {
        if (error === null) for (const entry of piece) this.#forget(entry)
        resolve(error === null)
      })
    })
  }

  /** Unless it is ours again, or there is a newer one. */
  #forget({ topic, stamp }: RetainedEntry): void {
    const { retained, self } = this.#router
    if (this.#ownerOf(topic) !== self && retained.stamp(topic) === stamp) retained.delete(topic)
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

  /** Answers for the ring that was asked about, when its owners have all that is theirs; else OWNER_MOVED. */
  async #answerScan(_peer: Peer, body: Readonly<Record<string, unknown>>, reply: Reply): Promise<undefined> {
    const filter = text(body, 'filter')
    validateFilter(filter)
    await this.#router.agreement(SCAN_TIMEOUT_MS / 2)
    if (integer(body, 'ring') !== this.#router.view.ring.digest)
      throw new ShoalError('OWNER_MOVED', { filter })
    const messages = [...this.#router.retained.match(filter)]
    reply.send({}, { messages: Readable.from(packed(messages), { objectMode: true }) })
    return undefined
  }

  /** Asks all owners under the present ring; false if one could not answer for it. */
  async #scanRing(subscription: Subscription, watch: Watch, given: Set<string>): Promise<boolean> {
    const { view } = this.#router
    const filter = subscription.filter
    const owners = isWildcard(filter) ? view.ring.ids.map(id => view.peer(id)) : [this.#ownerOf(filter)]
    const give = async (message: Message): Promise<void> => {
      if (given.has(message.topic.name)) return
      while (subscription.subscriber.isBusy) await this.#router.pause(BUSY_MS)
      given.add(message.topic.name)
      this.#give(subscription, watch, message)
    }
    const scans = owners.map(owner => {
      if (owner === null) return Promise.resolve(false)
      return owner === view.self ? this.#scanHere(filter, give) : this.#scanThere(owner, filter, give)
    })
    return (await Promise.all(scans)).every(isWhole => isWhole)
  }

  async #scanHere(filter: string, give: (message: Message) => Promise<void>): Promise<boolean> {
    const ring = this.#router.view.ring
    await this.#router.agreement(SCAN_TIMEOUT_MS / 2)
    if (this.#router.view.ring !== ring) return false
    for (const message of [...this.#router.retained.match(filter)]) await give(message)
    return true
  }

  async #scanThere(owner: Peer, filter: string, give: (message: Message) => Promise<void>): Promise<boolean> {
    if (owner.link === null) return false
    try {
      const body = { filter, ring: this.#router.view.ring.digest }
      const { streams } = await owner.link.request('retained.scan', body, { timeoutMs: SCAN_TIMEOUT_MS })
      for await (const entry of streams['messages'] ?? []) await give(this.#unpack(record(entry)))
      return true
    } catch (error) {
      this.#router.log.debug({ owner: owner.id, filter, error }, 'retained scan interrupted')
      return false
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

function* packed(messages: readonly Message[]): Generator<object> {
  for (const message of messages) yield pack(message, 0)
}

function bytesOf({ topic, message }: RetainedEntry): number {
  const payload =
    message === null ? 0 : message.payloadEnd - message.payloadStart + (message.properties?.length ?? 0)
  return topic.length * 3 + payload
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
