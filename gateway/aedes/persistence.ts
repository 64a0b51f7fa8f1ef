// The persistence of aedes on the ring: a client's session is kept by the owner of its id, a retained packet by the owner of its
// topic, each with a copy at the node behind it. What is written is at both before the promise settles.
// Source: aedes-persistence 11 (asyncPersistence.js), whose calls these are, and aedes 1.2, which makes them.
import { Readable } from 'node:stream'
import { ShoalError } from '../../broker/errors.ts'
import type { Clock } from '../../broker/runtime/clock.ts'
import { isWildcard } from '../../broker/topics/filter.ts'
import type { Upring } from '../../broker/upring/api.ts'
import type { ReceivedStreams } from '../../broker/upring/message.ts'
import { Caller } from './caller.ts'
import { Matching } from './matching.ts'
import type { AedesNode } from './node.ts'
import { decodePacket, encodePacket, type Packet, publisherOf, queuedPacket } from './packet.ts'
import { Scatter } from './scatter.ts'
import type { Queued, StoredSubscription, StoredWill } from './session.ts'
import type { MatchedSubscription } from './subscription-index.ts'
import { type Operation, retainedKey, sessionKey } from './table.ts'
import { isPassing, pause } from './waiting.ts'

export interface Client {
  id: string
  /** Of a will that is asked for: the broker that put it. */
  brokerId?: string
}

export interface AedesBroker {
  readonly id: string
  publish(packet: object, callback: (error?: Error | null) => void): void
  authorizePublish?(client: null, packet: object, callback: (error?: Error | null) => void): void
}

/** So long a stream of packets is taken up again after a change of the ring. */
const STREAM_TIMEOUT_MS = 20_000

export interface PersistenceParts {
  upring: Upring
  clock: Clock
  node: AedesNode
  operationsMax: number
}

export class RingPersistence {
  readonly #parts: PersistenceParts
  readonly #caller: Caller
  readonly #scatter: Scatter
  readonly #matching: Matching
  #broker: AedesBroker | null = null

  constructor(parts: PersistenceParts) {
    this.#parts = parts
    this.#caller = new Caller(parts.upring, parts.operationsMax)
    this.#scatter = new Scatter({ upring: parts.upring, clock: parts.clock, view: parts.node.view })
    this.#matching = new Matching(this.#scatter, parts.clock)
  }

  /** The aedes broker; null before `setup`. */
  get broker(): AedesBroker | null {
    return this.#broker
  }

  async setup(broker: AedesBroker): Promise<void> {
    this.#broker = broker
  }

  /** The node stays, and so does what it keeps. */
  async destroy(): Promise<void> {}

  async storeRetained(packet: Packet): Promise<void> {
    const isClear = packet.payload === undefined || packet.payload.length === 0
    const bytes = isClear ? null : encodePacket(packet)
    await this.#caller.ask(retainedKey(packet.topic!), { do: 'retain', bytes })
  }

  createRetainedStream(pattern: string): Readable {
    return this.createRetainedStreamCombi([pattern])
  }

  /** The packets of one pattern after those of another, as often as there are patterns that match. */
  createRetainedStreamCombi(patterns: readonly string[]): Readable {
    return Readable.from(this.#retained(patterns))
  }

  async addSubscriptions({ id }: Client, subscriptions: readonly StoredSubscription[]): Promise<void> {
    const stored = subscriptions.map(({ topic, qos, rh, rap, nl, subscriptionIdentifier }) =>
      subscriptionIdentifier === undefined
        ? { topic, qos, rh, rap, nl }
        : { topic, qos, rh, rap, nl, subscriptionIdentifier }
    )
    if (!(await this.#session(id, { do: 'subscribe', subscriptions: stored })))
      throw new ShoalError('LIMIT_EXCEEDED', { limit: 'subscriptionsMax', client: id })
  }

  async removeSubscriptions({ id }: Client, filters: readonly string[]): Promise<void> {
    await this.#session(id, { do: 'unsubscribe', filters: [...filters] })
  }

  async cleanSubscriptions({ id }: Client): Promise<void> {
    await this.#session(id, { do: 'unsubscribeAll' })
  }

  async subscriptionsByClient({ id }: Client): Promise<StoredSubscription[]> {
    return await this.#session(id, { do: 'subscriptions' })
  }

  /** Of QoS 1 and 2. */
  async subscriptionsByTopic(topic: string): Promise<MatchedSubscription[]> {
    return await this.#matching.match(topic)
  }

  /** Subscriptions of QoS 1 and 2, and clients with any. */
  async countOffline(): Promise<{ subsCount: number; clientsCount: number }> {
    const total = { subsCount: 0, clientsCount: 0 }
    for (const each of await this.#scatter.ask<{ subscriptions: number; clients: number }>({
      cmd: 'count'
    })) {
      total.subsCount += each.subscriptions
      total.clientsCount += each.clients
    }
    return total
  }

  /** Ids of the clients that have subscribed to this very filter. */
  getClientList(filter: string): Readable {
    return Readable.from(this.#clients(filter))
  }

  async outgoingEnqueue({ clientId }: { clientId: string }, packet: Packet): Promise<void> {
    await this.outgoingEnqueueCombi([{ clientId }], packet)
  }

  /** A client gets a packet once, however many of its subscriptions match. */
  async outgoingEnqueueCombi(subscriptions: readonly { clientId: string }[], packet: Packet): Promise<void> {
    if (subscriptions.length === 0) return
    const queued = queuedPacket(packet)
    // Its id is given when it is sent.
    const operation = {
      do: 'enqueue',
      ...nameOf({ ...packet, messageId: undefined }),
      bytes: encodePacket(queued)
    } as const
    const clients = new Set(subscriptions.map(({ clientId }) => clientId))
    await Promise.all([...clients].map(id => this.#session(id, operation)))
  }

  /** The packet is sent by its `messageId`, or it is a PUBREL for what was. */
  async outgoingUpdate({ id }: Client, packet: Packet): Promise<void> {
    const isPublish = packet.cmd === undefined || packet.cmd === 'publish'
    const bytes = encodePacket(isPublish ? queuedPacket(packet) : packet)
    await this.#session(id, { do: 'update', isPublish, ...nameOf(packet), bytes })
  }

  /** The packet that was acknowledged; undefined if there is none of that id. */
  async outgoingClearMessageId({ id }: Client, packet: Packet): Promise<Packet | undefined> {
    const cleared = await this.#session<Pick<Queued, 'bytes' | 'messageId'> | null>(id, {
      do: 'dequeue',
      ...nameOf(packet)
    })
    return cleared === null ? undefined : queuedAs(cleared)
  }

  /** The client's queue as it is when it is read from. */
  outgoingStream({ id }: Client): Readable {
    return Readable.from(this.#queued(id))
  }

  async incomingStorePacket({ id }: Client, packet: Packet): Promise<void> {
    const messageId = packet.messageId!
    const bytes = encodePacket({ ...queuedPacket(packet), messageId })
    if (!(await this.#session(id, { do: 'keepIncoming', messageId, bytes })))
      throw new ShoalError('LIMIT_EXCEEDED', { limit: 'sessionBytesMax', client: id })
  }

  /** Rejects if there is none. */
  async incomingGetPacket({ id }: Client, { messageId }: Packet): Promise<Packet> {
    const bytes = await this.#session<Uint8Array | null>(id, { do: 'incoming', messageId: messageId! })
    if (bytes === null) throw new Error('no such packet')
    return decodePacket(bytes)
  }

  /** Rejects if there is none. */
  async incomingDelPacket({ id }: Client, { messageId }: Packet): Promise<void> {
    if (!(await this.#session(id, { do: 'dropIncoming', messageId: messageId! })))
      throw new Error('no such packet')
  }

  async cleanIncoming({ id }: Client): Promise<void> {
    await this.#session(id, { do: 'dropAllIncoming' })
  }

  /** Writes into the packet who put it, as other persistences do. */
  async putWill({ id }: Client, packet: Packet): Promise<void> {
    const brokerId = this.#broker!.id
    packet.brokerId = brokerId
    packet.clientId = id
    const will = { brokerId, node: this.#parts.upring.whoami(), bytes: encodePacket(packet) }
    await this.#session(id, { do: 'putWill', will })
  }

  async getWill({ id }: Client): Promise<Packet | undefined> {
    return willAs(await this.#session<StoredWill | null>(id, { do: 'will' }))
  }

  async delWill({ id, brokerId }: Client): Promise<Packet | undefined> {
    return willAs(await this.#session<StoredWill | null>(id, { do: 'deleteWill', brokerId }))
  }

  /**
   * Wills of brokers that are not in `brokers`. Each node gives those it keeps, so that a will is published once; and
   * none of a node that is on the ring, however long nothing was heard of its broker.
   */
  streamWill(brokers: Readonly<Record<string, unknown>> = {}): Readable {
    return Readable.from(this.#wills(brokers))
  }

  async #session<Result>(clientId: string, operation: Operation): Promise<Result> {
    return await this.#caller.ask<Result>(sessionKey(clientId), operation)
  }

  async *#retained(patterns: readonly string[]): AsyncGenerator<Packet> {
    for (const filter of patterns) {
      if (!isWildcard(filter)) {
        const bytes = await this.#caller.ask<Uint8Array | null>(retainedKey(filter), { do: 'retained' })
        if (bytes !== null) yield decodePacket(bytes)
        continue
      }
      const found = this.#scatter.stream<{ topic: string; bytes: Uint8Array }>(
        { cmd: 'retained', filter },
        ({ topic }) => topic
      )
      for await (const { bytes } of found) yield decodePacket(bytes)
    }
  }

  async *#clients(filter: string): AsyncGenerator<string> {
    const message = { cmd: 'clients', filter }
    for await (const each of this.#scatter.stream<{ clientId: string }>(message, ({ clientId }) => clientId))
      yield each.clientId
  }

  /** Goes on with the next owner where it was when the last one died. */
  async *#queued(clientId: string): AsyncGenerator<Packet> {
    const { upring, clock } = this.#parts
    const deadline = clock.now() + STREAM_TIMEOUT_MS
    const message = { ns: 'aedes', cmd: 'queue', key: sessionKey(clientId) }
    let after = 0
    for (;;) {
      try {
        const { streams } = await upring.request<{ streams: ReceivedStreams }>({ ...message, after })
        for await (const each of streams['items']! as AsyncIterable<Queued>) {
          after = each.serial
          yield queuedAs(each)
        }
        return
      } catch (error) {
        if (!isPassing(error) || clock.now() > deadline) throw error
      }
      await pause(clock)
    }
  }

  *#wills(brokers: Readonly<Record<string, unknown>>): Generator<Packet> {
    const { upring, node } = this.#parts
    const others = new Set(upring.peers().map(({ id }) => id))
    for (const [, will] of node.wills())
      if (!brokers[will.brokerId] && !others.has(will.node)) yield decodePacket(will.bytes)
  }
}

function nameOf(packet: Packet): Pick<Queued, 'brokerId' | 'brokerCounter' | 'messageId'> {
  return { brokerId: publisherOf(packet), brokerCounter: packet.brokerCounter, messageId: packet.messageId }
}

function queuedAs({ bytes, messageId }: Pick<Queued, 'bytes' | 'messageId'>): Packet {
  const packet = decodePacket(bytes)
  if (packet.cmd !== 'publish' || packet.qos! > 0) packet.messageId = messageId
  return packet
}

function willAs(will: StoredWill | null): Packet | undefined {
  return will === null ? undefined : decodePacket(will.bytes)
}
