// One browser: its requests in, its messages out. The socket's life is
//
//   new ──connect──▶ claiming ──welcome──▶ open ──goodbye──▶ closed
//
// where `claiming` takes no time unless the client named its id. Requests are worked on in the order
// in which they came; answers to subscribes and publishes come as the cluster gives them.
import type { ClientHolder } from '../../broker/broker.ts'
import { ShoalError } from '../../broker/errors.ts'
import { Message, type Receipt } from '../../broker/message.ts'
import type { Match, Subscriber } from '../../broker/topics/subscription.ts'
import {
  type ConnectRequest,
  DISCONNECT,
  type DisconnectCode,
  type GoodbyeReply,
  PROTOCOL_VERSION,
  type PublishRequest,
  type Reply,
  type Request,
  type RequestId,
  type SubscribeRequest,
  type UnsubscribeRequest
} from '../../client-js/wire.ts'
import type { SocketHandler, WebGateway } from './gateway.ts'
import { Inbox } from './inbox.ts'
import { Outbox } from './outbox.ts'
import {
  errorOfReason,
  errorReply,
  ProtocolError,
  payloadOf,
  readRequest,
  requestIdOf,
  writeReply
} from './protocol.ts'
import type { Socket } from './socket.ts'

type State = 'new' | 'claiming' | 'open' | 'closed'

const PONG = writeReply({ t: 'pong' })

export class Connection implements Subscriber, Receipt, ClientHolder, SocketHandler {
  readonly #gateway: WebGateway
  readonly #socket: Socket
  readonly #outbox: Outbox
  readonly #inbox: Inbox
  readonly #openedAt: number
  #state: State = 'new'
  #clientId = ''
  #isClaimed = false
  /** Whether the flusher has this connection in its list. */
  #isDirty = false
  /** Whether requests wait for the way into the cluster. */
  #isHeld = false
  /** Publishes, and subscribes, without an answer. */
  #unanswered = 0
  #subscribing = 0
  /** The request that made the subscription of each filter. */
  readonly #subscriptions = new Map<string, RequestId>()

  constructor(gateway: WebGateway, socket: Socket) {
    this.#gateway = gateway
    this.#socket = socket
    this.#outbox = new Outbox(socket, gateway.options.outboxBytesMax)
    this.#inbox = new Inbox(gateway.options.inboxBytesMax)
    this.#openedAt = gateway.broker.clock.now()
  }

  // From the broker.

  /** Retained messages of a new subscription wait for a browser that takes its time. */
  get isBusy(): boolean {
    return this.#state === 'open' && this.#outbox.isBusy
  }

  deliver(message: Message, match: Match, retained: boolean): void {
    if (this.#state !== 'open') return
    const encoder = this.#gateway.encoder
    this.#push(
      retained ? encoder.encodeRetained(message, match.identifiers[0] ?? 0) : encoder.encode(message),
      true
    )
    this.#gateway.counters.messagesOut++
  }

  published(token: number, reason: number): void {
    this.#unanswered--
    if (reason < 0x80) this.#reply({ t: 'published', id: token, reason })
    else this.#reply(errorReply(errorOfReason(reason), token))
  }

  takenOver(): void {
    this.#close(DISCONNECT.TAKEN_OVER, 'a newer connection has this client id')
  }

  // From the socket.

  received(data: ArrayBuffer, isBinary: boolean): void {
    if (this.#state === 'closed') return
    if (isBinary) return this.#refuse('a frame is binary')
    this.#inbox.add(Buffer.from(data).toString('utf8'))
    this.#work()
    if (this.#inbox.isOverfull) this.#overload()
  }

  drained(): void {}

  closed(_code: number): void {
    this.#socket.forget()
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.#inbox.clear()
    const { broker } = this.#gateway
    broker.unsubscribeAll(this)
    if (this.#isClaimed) broker.release(this.#clientId, this)
  }

  tick(now: number): void {
    if (this.#state !== 'new') return
    if (now - this.#openedAt < this.#gateway.options.connectTimeoutMs) return
    this.#close(DISCONNECT.CONNECT_TIMEOUT, 'no connect in time')
  }

  shutDown(): void {
    this.#close(DISCONNECT.SHUTDOWN, 'the node stops')
  }

  /** Writes what the tick has gathered. */
  flush(): void {
    this.#isDirty = false
    if (this.#state === 'closed') return
    this.#outbox.flush()
    if (!this.#outbox.isFull) return
    const { counters } = this.#gateway
    counters.slowClosed++
    counters.messagesMissed += this.#outbox.missed
    this.#close(DISCONNECT.SLOW, 'the client reads too slowly', this.#outbox.missed)
  }

  // Requests.

  #work(): void {
    while (!this.#isHeld && !this.#inbox.isEmpty && this.#state !== 'closed') {
      const line = this.#inbox.take()
      try {
        this.#handle(readRequest(line))
      } catch (error) {
        if (error instanceof ProtocolError) this.#refuse(error.message)
        else if (error instanceof ShoalError) this.#reply(errorReply(error, requestIdOf(error)))
        else throw error
      }
    }
  }

  #handle(request: Request): void {
    if (this.#state !== 'open') {
      if (request.t !== 'connect' || this.#state !== 'new') throw new ProtocolError('not connected yet')
      return this.#connect(request)
    }
    switch (request.t) {
      case 'publish':
        return this.#publish(request)
      case 'subscribe':
        return void this.#subscribe(request)
      case 'unsubscribe':
        return this.#unsubscribe(request)
      case 'ping':
        return this.#push(PONG, false)
      case 'connect':
        throw new ProtocolError('connected already')
    }
  }

  #connect(request: ConnectRequest): void {
    const { broker } = this.#gateway
    if (request.version !== PROTOCOL_VERSION) {
      this.#close(DISCONNECT.VERSION, `this gateway speaks version ${PROTOCOL_VERSION}`)
    } else if (!broker.ready || broker.closing) {
      this.#close(DISCONNECT.UNAVAILABLE, 'the node does not serve now')
    } else if (request.client === undefined) {
      this.#clientId = newClientId()
      this.#welcome()
    } else {
      this.#clientId = request.client
      void this.#claim()
    }
  }

  async #claim(): Promise<void> {
    const { broker } = this.#gateway
    this.#state = 'claiming'
    try {
      await broker.claim(this.#clientId, this)
    } catch {
      this.#close(DISCONNECT.UNAVAILABLE, 'the client id could not be claimed')
      return
    }
    // The client may have gone, or another taken the id, in the meantime.
    if (this.#state !== 'claiming') return broker.release(this.#clientId, this)
    this.#isClaimed = true
    this.#welcome()
  }

  #welcome(): void {
    const { broker, options } = this.#gateway
    this.#state = 'open'
    this.#reply({
      t: 'welcome',
      version: PROTOCOL_VERSION,
      client: this.#clientId,
      node: broker.id,
      limits: {
        frameBytes: options.frameBytesMax,
        subscriptions: options.subscriptionsMax,
        publishWindow: options.publishWindow,
        pingMs: options.pingMs
      }
    })
  }

  #publish(request: PublishRequest): void {
    const { broker, options, counters } = this.#gateway
    let message: Message
    try {
      const payload = payloadOf(request)
      if (payload.length > options.frameBytesMax) {
        throw new ShoalError('PAYLOAD_TOO_LARGE', { bytes: payload.length, allowed: options.frameBytesMax })
      }
      message = new Message(
        broker.topic(request.topic),
        payload,
        0,
        payload.length,
        request.qos ?? 0,
        request.retain ?? false
      )
      if (message.qos > 0 && this.#unanswered >= options.publishWindow) {
        throw new ShoalError('LIMIT_EXCEEDED', { limit: 'publishWindow', allowed: options.publishWindow })
      }
    } catch (error) {
      return this.#reply(errorReply(error, request.id))
    }
    message.publisher = this
    if (message.qos > 0) {
      message.receipt = this
      message.token = request.id!
      this.#unanswered++
    }
    counters.messagesIn++
    if (!broker.publish(message)) this.#hold()
  }

  async #subscribe(request: SubscribeRequest): Promise<void> {
    const { id, filter } = request
    const { broker } = this.#gateway
    this.#subscribing++
    try {
      this.#checkRoom(filter)
      this.#subscriptions.set(filter, id)
      const { subscription } = await broker.subscribe(this, filter, {
        qos: 1,
        noLocal: false,
        retainAsPublished: false,
        identifier: id
      })
      // Closed while the owners were told: `closed` could not withdraw what came after it.
      if (this.#isClosed) return broker.unsubscribeAll(this)
      this.#reply({ t: 'subscribed', id })
      if (this.#subscriptions.has(filter)) await broker.sendRetained(subscription)
    } catch (error) {
      this.#subscribeFailed(error, request)
    } finally {
      this.#subscribing--
    }
  }

  #checkRoom(filter: string): void {
    const allowed = this.#gateway.options.subscriptionsMax
    if (
      this.#subscribing > allowed ||
      (this.#subscriptions.size >= allowed && !this.#subscriptions.has(filter))
    ) {
      throw new ShoalError('LIMIT_EXCEEDED', { limit: 'subscriptions', allowed })
    }
  }

  #subscribeFailed(error: unknown, { id, filter }: SubscribeRequest): void {
    const { broker } = this.#gateway
    if (!(error instanceof ShoalError)) {
      broker.log.error({ error: String(error), filter }, 'subscribe failed')
    }
    if (this.#isClosed) return broker.unsubscribeAll(this)
    if (this.#subscriptions.get(filter) === id) {
      this.#subscriptions.delete(filter)
      broker.unsubscribe(this, filter)
    }
    this.#reply(errorReply(error, id))
  }

  #unsubscribe({ id, filter }: UnsubscribeRequest): void {
    this.#subscriptions.delete(filter)
    this.#gateway.broker.unsubscribe(this, filter)
    this.#reply({ t: 'unsubscribed', id })
  }

  // Congestion and close.

  /** The way to an owner is congested: requests wait in the inbox until it is not. */
  #hold(): void {
    this.#isHeld = true
    this.#gateway.broker.whenDrained(() => {
      this.#isHeld = false
      this.#work()
    })
  }

  #overload(): void {
    this.#gateway.counters.overloadedClosed++
    this.#close(DISCONNECT.OVERLOADED, 'more is published than the cluster takes')
  }

  #refuse(message: string): void {
    this.#gateway.counters.protocolErrors++
    this.#close(DISCONNECT.PROTOCOL, message)
  }

  get #isClosed(): boolean {
    return this.#state === 'closed'
  }

  /** Sends what waits, then goodbye, then the close. `closed` runs before this returns. */
  #close(code: DisconnectCode, message: string, missed?: number): void {
    if (this.#state === 'closed') return
    this.#outbox.flush()
    const goodbye: GoodbyeReply = { t: 'goodbye', code, message }
    if (missed !== undefined) goodbye.missed = missed
    this.#socket.send(writeReply(goodbye))
    this.#socket.end(code, message)
  }

  #reply(reply: Reply): void {
    if (this.#state !== 'closed') this.#push(writeReply(reply), false)
  }

  #push(lines: Uint8Array, isMessage: boolean): void {
    this.#outbox.push(lines, isMessage)
    if (this.#isDirty) return
    this.#isDirty = true
    this.#gateway.flusher.add(this)
  }
}

function newClientId(): string {
  return `web-${crypto.randomUUID()}`
}
