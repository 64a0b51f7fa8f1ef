// The client: keeps one connection to the cluster, and what is to outlive it, the subscriptions and the
// publishes that have no answer.
//
//   connecting ──welcome──▶ connected ──drop──▶ disconnected ──backoff──▶ connecting
//                any ──close(), or a close for good──▶ closed
import { Backoff, type BackoffOptions } from './backoff.ts'
import { Channel, type WebSocketConstructor } from './channel.ts'
import { Emitter } from './emitter.ts'
import { ClientError } from './errors.ts'
import { matches } from './filter.ts'
import { fieldsOf, Message, type Payload } from './payload.ts'
import { Publications, type Published } from './publications.ts'
import { type Handler, type SubscribeOptions, Subscription, type SubscriptionOwner } from './subscription.ts'
import {
  type ErrorReply,
  type GoodbyeReply,
  type Limits,
  type MessageFrame,
  mayReconnect,
  PROTOCOL_VERSION,
  REQUEST_ID_MAX,
  type Reply,
  type Request,
  type RequestId,
  type WelcomeReply
} from './wire.ts'

export type ClientState = 'connecting' | 'connected' | 'disconnected' | 'closed'

export interface ConnectOptions {
  /** Names the client in the cluster: an older connection of the same name is closed. Default: a name of its own each time. */
  clientId?: string
  /** For runtimes without a global WebSocket (Node 20). */
  WebSocket?: WebSocketConstructor
  /** Default 200 ms to 10 s. */
  reconnect?: Partial<BackoffOptions>
  /** A connection that is not welcomed by then is given up, and another one tried. Default 10 s. */
  connectTimeoutMs?: number
  /** Publishes at QoS 1 without an answer, sent or not; one more is refused with `QUEUE_FULL`. Default 1,000. */
  queueMax?: number
  /** Bytes that may wait in the socket before publishes at QoS 0 are refused with `QUEUE_FULL`. Default 4 MiB. */
  bufferBytesMax?: number
}

export interface PublishOptions {
  /**
   * 0 (default): sent once, and lost with the connection. 1: sent until it is acknowledged, so that it arrives at
   * least once; again after a reconnect, in the order of the calls.
   */
  qos?: 0 | 1
  /** Keeps it for those who subscribe later; an empty payload clears what is kept. */
  retain?: boolean
}

export interface Disconnected {
  /** The code of the close; see DISCONNECT in wire.ts. 1006: without one. */
  code: number
  reason: string
  /** Messages that the gateway has dropped because this client read too slowly, at the least. */
  missed: number
  /** When the next attempt begins; null if there is none. */
  retryInMs: number | null
}

export interface ClientEvents {
  state: ClientState
  connected: { node: string; client: string }
  disconnected: Disconnected
  /** A subscription was refused, or a publish at QoS 0. */
  error: ClientError
  /** For good: null after `close()`. */
  closed: ClientError | null
}

/** A connection that held for so long counts as good: the next attempt is soon. */
const HELD_MS = 5_000
const RESUBSCRIBE_MS = 1_000
const RETRY: BackoffOptions = { minMs: 200, maxMs: 10_000 }

export class Client extends Emitter<ClientEvents> implements SubscriptionOwner {
  #state: ClientState = 'connecting'
  #node: string | null = null
  readonly #urls: readonly string[]
  readonly #options: ConnectOptions
  readonly #WebSocket: WebSocketConstructor
  readonly #backoff: Backoff
  readonly #publications: Publications
  readonly #subscriptions = new Set<Subscription>()
  #attempts = 0
  #channel: Channel | null = null
  #limits: Limits | null = null
  #connectedAt = 0
  #missed = 0
  #timer: ReturnType<typeof setTimeout> | undefined
  #lastId: RequestId = 0

  constructor(urls: readonly string[], options: ConnectOptions) {
    super()
    this.#urls = urls
    this.#options = options
    this.#WebSocket = webSocketOf(options)
    this.#backoff = new Backoff({ ...RETRY, ...options.reconnect }, Math.random)
    this.#publications = new Publications(options.queueMax ?? 1_000)
    globalThis.addEventListener?.('online', this.#retryNow)
    this.#connect()
  }

  get state(): ClientState {
    return this.#state
  }

  /** The id of the node that the client is connected to, or was last. */
  get node(): string | null {
    return this.#node
  }

  /** Resolves when the client is connected, now or later. Rejects when it is closed. */
  ready(): Promise<void> {
    if (this.#state === 'connected') return Promise.resolve()
    if (this.#state === 'closed') return Promise.reject(closedError())
    return new Promise((resolve, reject) => {
      const offs = [
        this.on('connected', () => done(resolve)),
        this.on('closed', error => done(() => reject(error ?? closedError())))
      ]
      const done = (settle: () => void): void => {
        for (const off of offs) off()
        settle()
      }
    })
  }

  /**
   * Subscribes to a topic, or with `+` and `#` to many, now and after each reconnect. With a handler, that is called
   * with each message; without, the subscription is iterated: `for await (const message of client.subscribe('a/#'))`.
   */
  subscribe(filter: string, handler?: Handler | null, options: SubscribeOptions = {}): Subscription {
    const subscription = new Subscription(this, filter, handler ?? undefined, options)
    if (this.#state === 'closed') {
      subscription.end(closedError())
    } else {
      this.#subscriptions.add(subscription)
      if (this.#state === 'connected') this.#requestSubscription(subscription)
    }
    return subscription
  }

  /**
   * Publishes. At QoS 0 it resolves when the message is handed to the connection, and rejects `NOT_CONNECTED` if there is
   * none; at QoS 1 when the cluster has it, waiting for a connection if need be.
   */
  publish(topic: string, payload: Payload, options: PublishOptions = {}): Promise<Published> {
    const { qos = 0, retain = false } = options
    if (this.#state === 'closed') return Promise.reject(closedError())
    const id = this.#nextId()
    const line = JSON.stringify({
      t: 'publish',
      id,
      topic,
      ...fieldsOf(payload),
      qos,
      retain
    } satisfies Request)
    if (qos === 1) {
      const published = this.#publications.add(id, line)
      this.#sendPublications()
      return published
    }
    const error = this.#refusal(line)
    if (error !== null) return Promise.reject(error)
    this.#channel?.send(line)
    return Promise.resolve({ matched: true })
  }

  /** Closes for good. Publishes without an answer are rejected with `CLOSED`, and subscriptions end. Twice is once. */
  close(): void {
    this.#end(null)
  }

  /** @internal */
  unsubscribed(subscription: Subscription): void {
    if (!this.#subscriptions.delete(subscription)) return
    const { filter } = subscription
    for (const other of this.#subscriptions) if (other.filter === filter) return
    if (this.#state === 'connected') this.#send({ t: 'unsubscribe', id: this.#nextId(), filter })
  }

  // The connection.

  #connect(): void {
    this.#setState('connecting')
    const url = this.#urls[this.#attempts++ % this.#urls.length]!
    const { clientId, connectTimeoutMs = 10_000 } = this.#options
    const channel = new Channel(this.#WebSocket, url, {
      opened: () => {
        const request: Request = { t: 'connect', version: PROTOCOL_VERSION }
        this.#send(clientId === undefined ? request : { ...request, client: clientId })
      },
      received: object => this.#received(object as Reply | MessageFrame),
      closed: (code, reason) => this.#dropped(code, reason)
    })
    this.#channel = channel
    this.#timer = setTimeout(() => channel.end(1006, 'no welcome in time'), connectTimeoutMs)
  }

  #dropped(code: number, reason: string): void {
    if (this.#state === 'closed') return
    clearTimeout(this.#timer)
    if (this.#state === 'connected' && performance.now() - this.#connectedAt > HELD_MS) this.#backoff.reset()
    this.#channel = null
    this.#publications.dropped()
    const again = mayReconnect(code)
    const retryInMs = again ? this.#backoff.next() : null
    if (retryInMs !== null) this.#timer = setTimeout(this.#retryNow, retryInMs)
    this.#setState('disconnected')
    this.emit('disconnected', { code, reason, missed: this.#missed, retryInMs })
    this.#missed = 0
    if (!again) this.#end(new ClientError('REFUSED', reason))
  }

  #retryNow = (): void => {
    if (this.#state !== 'disconnected') return
    clearTimeout(this.#timer)
    this.#connect()
  }

  #end(error: ClientError | null): void {
    if (this.#state === 'closed') return
    this.#setState('closed')
    clearTimeout(this.#timer)
    globalThis.removeEventListener?.('online', this.#retryNow)
    this.#channel?.end(1000, '')
    this.#channel = null
    this.#publications.end(error ?? closedError())
    for (const subscription of [...this.#subscriptions]) subscription.end(error)
    this.emit('closed', error)
  }

  #setState(state: ClientState): void {
    if (this.#state === state) return
    this.#state = state
    this.emit('state', state)
  }

  // What comes.

  #received(object: Reply | MessageFrame): void {
    if (!('t' in object)) return this.#message(object)
    switch (object.t) {
      case 'welcome':
        return this.#welcome(object)
      case 'subscribed':
        return this.#subscriptionOf(object.id)?.accepted()
      case 'published':
        this.#publications.settle(object.id, { matched: object.reason !== 16 })
        return this.#sendPublications()
      case 'error':
        return this.#error(object)
      case 'goodbye':
        return this.#goodbye(object)
    }
  }

  #welcome({ node, client, limits }: WelcomeReply): void {
    clearTimeout(this.#timer)
    const channel = this.#channel!
    this.#node = node
    this.#limits = limits
    this.#connectedAt = performance.now()
    channel.batchLength = Math.min(channel.batchLength, Math.floor(limits.frameBytes / 3))
    channel.watch(limits.pingMs, () => this.#send({ t: 'ping' }))
    this.#setState('connected')
    for (const subscription of this.#subscriptions) this.#requestSubscription(subscription)
    this.#sendPublications()
    this.emit('connected', { node, client })
  }

  #message(frame: MessageFrame): void {
    const message = new Message(frame)
    if (frame.r === 1) {
      const subscription = this.#subscriptionOf(frame.s)
      if (subscription !== undefined) deliver(subscription, message)
      return
    }
    for (const subscription of this.#subscriptions) {
      if (matches(subscription.filter, frame.m)) deliver(subscription, message)
    }
  }

  #error({ id, code, message, retryable }: ErrorReply): void {
    const error = new ClientError(code, message, retryable)
    if (this.#publications.settle(id, error)) return this.#sendPublications()
    const subscription = this.#subscriptionOf(id)
    if (subscription !== undefined && retryable) {
      const channel = this.#channel
      setTimeout(() => {
        if (channel === this.#channel && this.#subscriptions.has(subscription))
          this.#requestSubscription(subscription)
      }, RESUBSCRIBE_MS)
    } else {
      subscription?.end(error)
      this.emit('error', error)
    }
  }

  #goodbye({ code, message, missed = 0 }: GoodbyeReply): void {
    this.#missed = missed
    this.#channel!.end(code, message)
  }

  // What goes.

  #requestSubscription(subscription: Subscription): void {
    subscription.id = this.#nextId()
    this.#send({ t: 'subscribe', id: subscription.id, filter: subscription.filter })
  }

  #subscriptionOf(id: RequestId | undefined): Subscription | undefined {
    for (const subscription of this.#subscriptions) if (subscription.id === id) return subscription
    return undefined
  }

  #sendPublications(): void {
    if (this.#state !== 'connected') return
    const tooLarge: RequestId[] = []
    this.#publications.send(this.#limits!.publishWindow, (line, id) => {
      if (this.#fits(line)) this.#channel!.send(line)
      else tooLarge.push(id)
    })
    for (const id of tooLarge) this.#publications.settle(id, this.#tooLarge())
    if (tooLarge.length > 0) this.#sendPublications()
  }

  /** Why a publish at QoS 0 cannot be sent now; null if it can. */
  #refusal(line: string): ClientError | null {
    if (this.#state !== 'connected') return new ClientError('NOT_CONNECTED', 'there is no connection', true)
    if (!this.#fits(line)) return this.#tooLarge()
    if (this.#channel!.buffered <= (this.#options.bufferBytesMax ?? 4_194_304)) return null
    return new ClientError('QUEUE_FULL', 'too many bytes wait to be sent', true)
  }

  /** Whether the gateway takes a frame of it. A character is at most three bytes. */
  #fits(line: string): boolean {
    const max = this.#limits!.frameBytes
    return line.length * 3 <= max || new TextEncoder().encode(line).length <= max
  }

  #tooLarge(): ClientError {
    return new ClientError('PAYLOAD_TOO_LARGE', `more than ${this.#limits!.frameBytes} bytes`)
  }

  #send(request: Request): void {
    this.#channel?.send(JSON.stringify(request))
  }

  #nextId(): RequestId {
    this.#lastId = this.#lastId === REQUEST_ID_MAX ? 1 : this.#lastId + 1
    return this.#lastId
  }
}

/** A handler that throws must not keep the message from others: its error is the program's, as an uncaught one. */
function deliver(subscription: Subscription, message: Message): void {
  try {
    subscription.deliver(message)
  } catch (error) {
    queueMicrotask(() => {
      throw error
    })
  }
}

function closedError(): ClientError {
  return new ClientError('CLOSED', 'the client is closed')
}

function webSocketOf(options: ConnectOptions): WebSocketConstructor {
  const WebSocket = options.WebSocket ?? (globalThis.WebSocket as WebSocketConstructor | undefined)
  if (WebSocket !== undefined) return WebSocket
  throw new ClientError('BAD_REQUEST', 'this runtime has no WebSocket: give one as an option')
}
