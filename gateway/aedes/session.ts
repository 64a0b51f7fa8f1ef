// What is kept of a client that means to come back: its subscriptions, its queue, the QoS 2 packets that it has not released, and its
// will. A state changes by operations and by nothing else, which give the same at the owner and at its replica; so a copy is kept by
// sending operations, and made by sending the state.
// Source: aedes-persistence 11, whose calls these operations are.
import { ShoalError } from '../../broker/errors.ts'
import type { SubscriptionIndex } from './subscription-index.ts'

export interface StoredSubscription {
  topic: string
  qos: number
  [field: string]: unknown
}

/** A packet that waits for the client. `messageId` is what aedes sent it by, undefined while it has not. */
export interface Queued {
  /** Rises along the queue. */
  readonly serial: number
  readonly brokerId: string | undefined
  readonly brokerCounter: number | undefined
  messageId: number | undefined
  readonly bytes: Uint8Array
}

export interface StoredWill {
  /** The aedes broker, and the ring's node, that the client is connected to. */
  brokerId: string
  node: string
  bytes: Uint8Array
}

interface Named {
  brokerId: string | undefined
  brokerCounter: number | undefined
  messageId: number | undefined
}

export type SessionOperation =
  | { do: 'subscribe'; subscriptions: StoredSubscription[] }
  | { do: 'unsubscribe'; filters: string[] }
  | { do: 'unsubscribeAll' }
  | ({ do: 'enqueue'; bytes: Uint8Array } & Named)
  | ({ do: 'update'; isPublish: boolean; bytes: Uint8Array } & Named)
  | ({ do: 'dequeue' } & Named)
  | { do: 'keepIncoming'; messageId: number; bytes: Uint8Array }
  | { do: 'dropIncoming'; messageId: number }
  | { do: 'dropAllIncoming' }
  | { do: 'putWill'; will: StoredWill }
  | { do: 'deleteWill'; brokerId: string | undefined }
  | { do: 'subscriptions' }
  | { do: 'incoming'; messageId: number }
  | { do: 'will' }

export interface EncodedSession {
  subscriptions: StoredSubscription[]
  queue: [number, string | undefined, number | undefined, number | undefined, Uint8Array][]
  serial: number
  incoming: [number, Uint8Array][]
  will: StoredWill | null
}

export interface SessionLimits {
  /** Subscriptions of a session; one more is refused. */
  subscriptionsMax: number
  /** Packets in a queue; one more is dropped, and counted. */
  queueMax: number
  /** Bytes of packets of a session, all together; beyond it as above. A session is handed over in one frame of 16 MiB. */
  sessionBytesMax: number
}

/** What an operation gave; `changed` if the replica has to hear of it. */
export interface Outcome {
  result: unknown
  changed: boolean
}

export class Session {
  /** Packets that were not queued because of a limit. */
  dropped = 0
  readonly clientId: string
  readonly subscriptions = new Map<string, StoredSubscription>()
  will: StoredWill | null = null
  readonly #limits: SessionLimits
  readonly #index: SubscriptionIndex
  readonly #queue: Queued[] = []
  readonly #incoming = new Map<number, Uint8Array>()
  #serial = 0
  #bytes = 0

  constructor(clientId: string, index: SubscriptionIndex, limits: SessionLimits) {
    this.clientId = clientId
    this.#index = index
    this.#limits = limits
  }

  get isEmpty(): boolean {
    return (
      this.subscriptions.size === 0 &&
      this.#queue.length === 0 &&
      this.#incoming.size === 0 &&
      this.will === null
    )
  }

  /** The queue as it is now, behind a serial number. */
  queued(after: number): Queued[] {
    return this.#queue.filter(({ serial }) => serial > after)
  }

  /** Throws BAD_REQUEST for what is no operation. */
  apply(operation: SessionOperation): Outcome {
    switch (operation.do) {
      case 'subscribe':
        return this.#subscribe(operation.subscriptions)
      case 'unsubscribe':
        return changedIf(operation.filters.filter(filter => this.#unsubscribe(filter)).length > 0)
      case 'unsubscribeAll':
        return changedIf(
          [...this.subscriptions.keys()].filter(filter => this.#unsubscribe(filter)).length > 0
        )
      case 'enqueue':
        return changedIf(this.#find(operation) === undefined && this.#append(operation))
      case 'update':
        return this.#update(operation)
      case 'dequeue':
        return this.#dequeue(operation)
      case 'keepIncoming':
        return this.#keepIncoming(operation.messageId, operation.bytes)
      case 'dropIncoming':
        return changedIf(this.#dropIncoming(operation.messageId))
      case 'dropAllIncoming':
        return changedIf([...this.#incoming.keys()].filter(id => this.#dropIncoming(id)).length > 0)
      case 'putWill':
        return this.#putWill(operation.will)
      case 'deleteWill':
        return this.#deleteWill(operation.brokerId)
      case 'subscriptions':
        return { result: [...this.subscriptions.values()], changed: false }
      case 'incoming':
        return { result: this.#incoming.get(operation.messageId) ?? null, changed: false }
      case 'will':
        return { result: this.will, changed: false }
      default:
        throw new ShoalError('BAD_REQUEST', { operation: (operation as { do?: unknown }).do })
    }
  }

  encode(): EncodedSession {
    return {
      subscriptions: [...this.subscriptions.values()],
      queue: this.#queue.map(each => [
        each.serial,
        each.brokerId,
        each.brokerCounter,
        each.messageId,
        each.bytes
      ]),
      serial: this.#serial,
      incoming: [...this.#incoming],
      will: this.will
    }
  }

  /** Once, into a new session. */
  decode(state: EncodedSession): void {
    for (const subscription of state.subscriptions) this.#add(subscription)
    for (const [serial, brokerId, brokerCounter, messageId, bytes] of state.queue)
      this.#push({ serial, brokerId, brokerCounter, messageId, bytes: own(bytes) })
    this.#serial = state.serial
    for (const [messageId, bytes] of state.incoming) this.#keepIncoming(messageId, bytes)
    this.will = state.will === null ? null : { ...state.will, bytes: own(state.will.bytes) }
  }

  /** Its subscriptions match no more. */
  retire(): void {
    for (const filter of this.subscriptions.keys()) this.#index.remove(filter, this.clientId)
  }

  #subscribe(subscriptions: readonly StoredSubscription[]): Outcome {
    const added = new Set(
      subscriptions.map(({ topic }) => topic).filter(topic => !this.subscriptions.has(topic))
    )
    if (this.subscriptions.size + added.size > this.#limits.subscriptionsMax)
      return { result: false, changed: false }
    for (const subscription of subscriptions) this.#add(subscription)
    return changedIf(true)
  }

  #add(subscription: StoredSubscription): void {
    const { topic } = subscription
    this.subscriptions.set(topic, subscription)
    // What is of QoS 0 is not queued for who is away.
    if (subscription.qos > 0) this.#index.add(topic, this.clientId, subscription)
    else this.#index.remove(topic, this.clientId)
  }

  #unsubscribe(filter: string): boolean {
    this.#index.remove(filter, this.clientId)
    return this.subscriptions.delete(filter)
  }

  #append({ brokerId, brokerCounter, messageId, bytes }: Named & { bytes: Uint8Array }): boolean {
    const { queueMax, sessionBytesMax } = this.#limits
    if (this.#queue.length >= queueMax || this.#bytes + bytes.length > sessionBytesMax) {
      this.dropped++
      return false
    }
    this.#push({ serial: ++this.#serial, brokerId, brokerCounter, messageId, bytes: own(bytes) })
    return true
  }

  #push(queued: Queued): void {
    this.#queue.push(queued)
    this.#bytes += queued.bytes.length
  }

  /** By its name, from the end, where what is sent now has been put. A packet without a name is found by no name. */
  #find({ brokerId, brokerCounter }: Named): Queued | undefined {
    if (brokerId === undefined || !brokerCounter) return undefined
    return this.#queue.findLast(each => each.brokerCounter === brokerCounter && each.brokerId === brokerId)
  }

  /**
   * A PUBLISH gets the id it is sent by. A PUBREL takes the place of the PUBLISH of its id. What was not queued is from now
   * on: a packet may have been published before the subscription that it is delivered for was stored.
   */
  #update(operation: Named & { isPublish: boolean; bytes: Uint8Array }): Outcome {
    const { messageId } = operation
    const named = this.#find(operation)
    if (named !== undefined) {
      named.messageId = messageId
      return changedIf(true)
    }
    const index = operation.isPublish ? -1 : this.#queue.findIndex(each => each.messageId === messageId)
    const before = this.#queue[index]
    if (before === undefined) return changedIf(this.#append(operation))
    const { serial } = before
    this.#queue[index] = {
      serial,
      brokerId: undefined,
      brokerCounter: undefined,
      messageId,
      bytes: own(operation.bytes)
    }
    this.#bytes += operation.bytes.length - before.bytes.length
    return changedIf(true)
  }

  /** From the front, where what is acknowledged now has been for longest. One that was never sent is found by its name. */
  #dequeue(operation: Named): Outcome {
    const { messageId } = operation
    const found =
      messageId === undefined ? this.#find(operation) : this.#queue.find(each => each.messageId === messageId)
    if (found === undefined) return { result: null, changed: false }
    this.#queue.splice(this.#queue.indexOf(found), 1)
    this.#bytes -= found.bytes.length
    return { result: { bytes: found.bytes, messageId: found.messageId }, changed: true }
  }

  #keepIncoming(messageId: number, bytes: Uint8Array): Outcome {
    this.#dropIncoming(messageId)
    if (this.#bytes + bytes.length > this.#limits.sessionBytesMax) return { result: false, changed: true }
    this.#incoming.set(messageId, own(bytes))
    this.#bytes += bytes.length
    return changedIf(true)
  }

  #dropIncoming(messageId: number): boolean {
    this.#bytes -= this.#incoming.get(messageId)?.length ?? 0
    return this.#incoming.delete(messageId)
  }

  #putWill(will: StoredWill): Outcome {
    this.will = { ...will, bytes: own(will.bytes) }
    return changedIf(true)
  }

  /** With a broker's id only the will that was put by it: another's is of a connection that came later. */
  #deleteWill(brokerId: string | undefined): Outcome {
    const { will } = this
    if (will === null || (brokerId !== undefined && will.brokerId !== brokerId))
      return { result: null, changed: false }
    this.will = null
    return { result: will, changed: true }
  }
}

function changedIf(changed: boolean): Outcome {
  return { result: changed, changed }
}

/** Bytes that came in a frame are a part of a larger buffer, which would stay as long as they do. */
function own(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes)
}
