// One MQTT client, from its first byte to its last: packets in, messages out, and what it has of the
// broker given back at the end. What a packet means stands in the file of its exchange (connect.ts, …).
//
//   opening ──CONNECT──▶ claiming ──client id is ours──▶ open ──▶ closed
import type { ClientHolder } from '../../broker/broker.ts'
import type { Message, QoS, Receipt } from '../../broker/message.ts'
import type { SessionWill } from '../../broker/sessions/will.ts'
import type { Match, Subscriber } from '../../broker/topics/subscription.ts'
import type { Acknowledgements } from './acknowledgements.ts'
import { onConnect } from './connect.ts'
import { encodeDisconnect } from './control-packets.ts'
import type { Version } from './decode.ts'
import { Deliveries } from './deliveries.ts'
import { onDisconnect } from './disconnect.ts'
import type { MqttGateway } from './gateway.ts'
import { Input, type PacketSink } from './input.ts'
import { Outbox } from './outbox.ts'
import { onPuback } from './puback.ts'
import { onPublish } from './publish.ts'
import { onPubcomp, onPubrec, onPubrel, type Qos2 } from './qos2.ts'
import {
  IMPLEMENTATION_SPECIFIC,
  MALFORMED_PACKET,
  PACKET_TOO_LARGE,
  PROTOCOL_ERROR,
  QUOTA_EXCEEDED,
  SESSION_TAKEN_OVER,
  SUCCESS,
  UNSPECIFIED
} from './reason-codes.ts'
import type { ConnectionSession } from './session.ts'
import { BLOCKED_CONTROL, BLOCKED_UNACKNOWLEDGED, CLOSED, OPEN, OPENING } from './state.ts'
import { onSubscribe } from './subscribe.ts'
import type { TopicCache } from './topic-cache.ts'
import type { ByteTransport, TransportUser } from './transport.ts'
import { onUnsubscribe } from './unsubscribe.ts'
import { publishWill } from './will.ts'

/** SUBSCRIBE and UNSUBSCRIBE packets of one client that may wait for their turn. */
const CONTROLS_MAX = 16
const NOT_DOOMED = 0
/** First byte of a PUBACK. */
const PUBACK = 0x40
const pingresp = Buffer.from([0xd0, 0])

export class Connection implements Subscriber, Receipt, ClientHolder, PacketSink, TransportUser {
  readonly takesRuns = true
  readonly gateway: MqttGateway
  readonly transport: ByteTransport
  readonly input: Input
  readonly outbox: Outbox
  readonly deliveries: Deliveries
  /** OPENING, CLAIMING, OPEN or CLOSED. */
  state: number = OPENING
  version: Version = 4
  clientId = ''
  will: SessionWill | null = null
  /** True while the gateway's list has it. */
  dirty = false
  /** Reason to close with when the tick ends; 0: none. */
  doom = NOT_DOOMED
  /** A whole packet has come since the last sweep. Times are ms of the broker's clock. */
  heard = true
  heardAt: number
  /** 0: no limit. */
  keepAliveMs = 0
  /** Since when the socket has not taken what it was given; -1: it has. */
  stalledAt = -1
  closedAt = 0
  /** Publishes to be acknowledged; null until the client publishes at QoS 1. */
  acknowledgements: Acknowledgements | null = null
  /** The session that outlives the connection; null: it ends with it. */
  session: ConnectionSession | null = null
  /** As DISCONNECT has changed it; null: it has not. */
  expirySeconds: number | null = null
  /** As `Message.publisher`. */
  publisher: object = this
  /** Null until the client publishes at QoS 2. */
  qos2: Qos2 | null = null
  /** Null until the client publishes. */
  topics: TopicCache | null = null
  /** Filters subscribed to; null until the first. */
  filters: Set<string> | null = null
  /** SUBSCRIBEs and UNSUBSCRIBEs being worked on, one after the other. */
  controls = 0
  /** Settles when the last of them is done; null until the first. */
  #control: Promise<void> | null = null

  constructor(gateway: MqttGateway, transport: ByteTransport) {
    this.gateway = gateway
    this.transport = transport
    this.input = new Input(this, transport, gateway.header, gateway.options.packetBytesMax)
    this.outbox = new Outbox(transport, gateway.scratch)
    this.deliveries = new Deliveries(this.outbox, gateway.options, gateway.counters)
    this.heardAt = gateway.broker.clock.now()
  }

  get opening(): boolean {
    return this.state === OPENING
  }

  get closed(): boolean {
    return this.state === CLOSED
  }

  // ── input ──

  /** Takes bytes in order. The chunk is kept by the messages in it and must not be written to again. */
  onData(chunk: Buffer): void {
    if (this.state !== CLOSED) this.input.take(chunk)
  }

  /** The transport brings no more bytes; it can still be written to. */
  onEnd(): void {
    if (this.state !== CLOSED) this.input.end()
  }

  packet(chunk: Buffer, at: number, start: number, end: number, limit: number, minimal: boolean): number {
    this.heard = true
    const first = chunk[at]!
    if (first >> 4 === 3 && minimal) return onPublish(this, chunk, at, start, end, limit)
    if (first === PUBACK && minimal) return onPuback(this, chunk, start, end, limit)
    this.#otherPacket(first, chunk, at, start, end, minimal)
    return end
  }

  #otherPacket(first: number, chunk: Buffer, at: number, start: number, end: number, minimal: boolean): void {
    const type = first >> 4
    if (type === 3) return this.refuse(MALFORMED_PACKET) // [MQTT-1.5.5-1]
    const flags = type === 6 || type === 8 || type === 10 ? 2 : 0
    if ((first & 0x0f) !== flags) return this.refuse(MALFORMED_PACKET) // [MQTT-2.1.3-1] (3.1.1: [MQTT-2.2.2-1])
    if (!minimal && this.version === 5) return this.refuse(MALFORMED_PACKET) // [MQTT-1.5.5-1]
    switch (type) {
      case 1:
        if (this.state === OPENING) onConnect(this, chunk, start, end)
        else this.refuse(PROTOCOL_ERROR) // [MQTT-3.1.0-2]
        return
      case 4:
        onPuback(this, chunk, start, end, end)
        return
      case 8:
        return onSubscribe(this, chunk, at, start, end)
      case 10:
        return onUnsubscribe(this, chunk, at, start, end)
      case 12:
        if (start === end)
          this.send(pingresp) // [MQTT-3.12.4-1]
        else this.refuse(MALFORMED_PACKET)
        return
      case 14:
        return onDisconnect(this, chunk, at, start, end)
      case 5:
        return onPubrec(this, chunk, start, end)
      case 6:
        return onPubrel(this, chunk, start, end)
      case 7:
        return onPubcomp(this, chunk, start, end)
      default:
        // AUTH needs a method, all others are the server's.
        this.refuse(PROTOCOL_ERROR)
    }
  }

  /**
   * Does the work of a SUBSCRIBE or UNSUBSCRIBE: now, or behind that of those before it. While `CONTROLS_MAX` are not
   * done, nothing more is read.
   */
  enqueue(work: () => Promise<void>): void {
    this.controls++
    if (this.controls >= CONTROLS_MAX) this.input.block(BLOCKED_CONTROL)
    const done = this.controls === 1 || this.#control === null ? work() : this.#control.then(work)
    this.#control = done.then(
      () => {
        this.controls--
        if (this.controls < CONTROLS_MAX) this.input.unblock(BLOCKED_CONTROL)
      },
      error => {
        this.gateway.broker.log.error({ client: this.clientId, error }, 'subscribe failed')
        this.close(IMPLEMENTATION_SPECIFIC)
      }
    )
  }

  // ── output ──

  /** Takes a message from the broker. */
  deliver(message: Message, match: Match, retained: boolean): void {
    if (this.state !== OPEN || this.doom !== NOT_DOOMED) return
    if (match.noLocal && message.publisher === this) return // [MQTT-3.8.3-3]
    const encoder = this.gateway.encoder
    const qos = Math.min(message.qos, match.qos) as QoS
    const retain = retained || (match.retainAsPublished && message.retain) // [MQTT-3.3.1-12], [MQTT-3.3.1-13]
    if (!retain && match.identifiers.length === 0) encoder.find(message, this.version, qos)
    else if (message.count === 1) encoder.write(message, this.version, qos, retain, match.identifiers)
    else {
      for (const single of message.singles()) this.deliver(single, match, retained)
      return
    }
    if (!this.deliveries.post(encoder.buffer, encoder.start, encoder.end, qos, message.count)) {
      this.closeSoon(QUOTA_EXCEEDED)
    } else if (!this.dirty) this.gateway.markDirty(this)
  }

  /** Half of what may wait for it waits: retained messages of a new subscription take their time. */
  get isBusy(): boolean {
    return this.state === OPEN && this.deliveries.isBusy
  }

  /** There may be room for what is queued. */
  drain(): void {
    this.deliveries.drain()
    if (!this.dirty && this.outbox.pending > 0) this.gateway.markDirty(this)
  }

  /** A publish of this client is safe, or has failed; or all of a run. */
  published(token: number, reason: number, count: number): void {
    const acknowledgements = this.acknowledgements
    if (acknowledgements === null || this.state !== OPEN) return
    // 3.1.1 cannot say no: not to acknowledge is to close. [MQTT-3.3.5-2]
    if (reason >= 0x80 && this.version === 4) return this.closeSoon(IMPLEMENTATION_SPECIFIC)
    acknowledgements.settle(token, reason, count)
    if (!this.dirty && acknowledgements.ready) this.gateway.markDirty(this)
  }

  /** Sends a packet that is not a PUBLISH. */
  send(bytes: Uint8Array): void {
    if (this.state === CLOSED) return
    if (bytes.length > this.deliveries.packetBytesMax) return this.closeSoon(PACKET_TOO_LARGE) // [MQTT-3.1.2-24]
    // A client that asks and never reads: each of its PINGREQs and SUBSCRIBEs is answered with a few bytes.
    if (this.outbox.bytes > 2 * this.gateway.options.outboxBytesMax) return this.closeSoon(QUOTA_EXCEEDED)
    this.outbox.push(bytes, 0, bytes.length)
    if (!this.dirty) this.gateway.markDirty(this)
  }

  /** Called by the gateway when the tick ends. */
  flush(): void {
    if (this.doom !== NOT_DOOMED) return this.close(this.doom)
    if (this.state === CLOSED) return
    this.outbox.flush()
    if (this.deliveries.waiting && this.outbox.bytes === 0) this.drain()
    this.#readOn()
  }

  /** Reads a client of 3.1.1 again when enough of its publishes are acknowledged. */
  #readOn(): void {
    if ((this.input.blocked & BLOCKED_UNACKNOWLEDGED) === 0) return
    const waiting = this.acknowledgements === null ? 0 : this.acknowledgements.count
    if (waiting < this.gateway.options.receiveMaximum) this.input.unblock(BLOCKED_UNACKNOWLEDGED)
  }

  /** The transport has taken all it was given. */
  onWritable(): void {
    this.stalledAt = -1
    if (this.state === CLOSED) return
    this.outbox.onWritable()
    this.drain()
    this.#readOn()
  }

  // ── the end ──

  /** A newer connection has the client id. */
  takenOver(): void | Promise<void> {
    if (this.state !== CLOSED) this.gateway.counters.takenOver++
    this.close(SESSION_TAKEN_OVER) // [MQTT-3.1.4-3]
    return this.session?.detached ?? undefined
  }

  /** Closes for a fault of the client. v5 is told the reason. */
  refuse(reason: number): void {
    if (this.state === CLOSED) return
    this.gateway.counters.faults++
    const remote = this.transport.remoteAddress
    this.gateway.broker.log.info({ client: this.clientId, remote, reason }, 'client at fault')
    this.close(reason)
  }

  /** Closes at the end of the tick: for use while the broker is delivering. */
  closeSoon(reason: number): void {
    if (this.state === CLOSED || this.doom !== NOT_DOOMED) return
    this.doom = reason
    if (!this.dirty) this.gateway.markDirty(this)
  }

  /**
   * Sends what is gathered, to v5 a DISCONNECT with `reason` (>= 0x80), and closes; the will is published. Does
   * nothing the second time.
   */
  close(reason: number): void {
    if (this.state === CLOSED) return
    if (this.state === OPEN && this.version === 5) {
      const bytes = encodeDisconnect(reason)
      if (bytes.length <= this.deliveries.packetBytesMax) this.outbox.push(bytes, 0, bytes.length)
    }
    this.#finish(reason)
  }

  /** The client has closed its side without a goodbye: it gets what is gathered for it, as what it did wrong. */
  ended(): void {
    this.#finish(UNSPECIFIED)
  }

  /** The client has said goodbye; `clean` if its will is not to be published. v5 may change when its session expires. */
  leave(clean: boolean, expirySeconds: number | null = null): void {
    this.expirySeconds = expirySeconds
    this.#finish(clean ? SUCCESS : UNSPECIFIED)
  }

  /** Closes at once. */
  destroy(): void {
    this.#end(UNSPECIFIED)
    this.outbox.drop()
    this.transport.destroy()
  }

  /** The transport is closed. */
  onClose(error?: Error): void {
    if (error !== undefined)
      this.gateway.broker.log.debug({ client: this.clientId, error }, 'connection failed')
    this.#end(UNSPECIFIED)
    this.outbox.drop()
    this.gateway.forget(this)
  }

  /** Hands the socket the rest of the output and ends it; what it does not take in `lingerMs` is lost. */
  #finish(reason: number): void {
    this.outbox.finish()
    this.#end(reason)
    this.transport.end()
  }

  /** Gives back all that the connection has of the broker, once. The will is published unless `reason` is SUCCESS. */
  #end(reason: number): void {
    const state = this.state
    if (state === CLOSED) return
    this.state = CLOSED
    const { broker } = this.gateway
    this.closedAt = broker.clock.now()
    this.input.drop()
    this.deliveries.drop()
    this.acknowledgements = null
    this.qos2 = null
    this.topics = null
    if (state === OPENING) return
    if (this.filters !== null) broker.unsubscribeAll(this)
    this.filters = null
    if (this.session !== null) this.session.detach(reason !== SUCCESS, this.expirySeconds)
    else broker.release(this.clientId, this)
    const will = this.will
    this.will = null
    // [MQTT-3.1.2-8], [MQTT-3.1.2-10]
    if (will !== null && state === OPEN && reason !== SUCCESS) publishWill(this.gateway, will)
    broker.log.debug({ client: this.clientId, reason }, 'client disconnected')
  }
}
