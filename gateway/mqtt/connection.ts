// One MQTT client, from its first byte to its last: bytes in become packets, messages become bytes out.
// What a packet means stands in the file of its exchange (connect.ts, publish.ts, …).
//
//   opening ──CONNECT──▶ claiming ──client id is ours──▶ open ──▶ closed
import type { ClientHolder } from '../../broker/broker.ts'
import type { Message, Receipt } from '../../broker/message.ts'
import type { Match, Subscriber } from '../../broker/topics/subscription.ts'
import type { Acknowledgements } from './acknowledgements.ts'
import { Assembly } from './assembly.ts'
import { onConnect } from './connect.ts'
import { encodeDisconnect } from './control-packets.ts'
import { checkPuback, packetId, type Version } from './decode.ts'
import { onDisconnect } from './disconnect.ts'
import type { MqttGateway } from './gateway.ts'
import { Inflight } from './inflight.ts'
import { Outbox } from './outbox.ts'
import { PacketQueue } from './packet-queue.ts'
import { onPublish } from './publish.ts'
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
import { BLOCKED_CONTROL, BLOCKED_UNACKNOWLEDGED, CLOSED, OPEN, OPENING } from './state.ts'
import { onSubscribe } from './subscribe.ts'
import type { TopicCache } from './topic-cache.ts'
import type { ByteTransport } from './transport.ts'
import { onUnsubscribe } from './unsubscribe.ts'
import { publishWill, type Will } from './will.ts'

/** Input that a transport which cannot be paused may pile up, beyond one packet. */
const HELD_BYTES_MAX = 1_048_576
/** SUBSCRIBE and UNSUBSCRIBE packets of one client that may wait for their turn. */
const CONTROLS_MAX = 16
const NOT_REFUSED = 0
const pingresp = Buffer.from([0xd0, 0])

export class Connection implements Subscriber, Receipt, ClientHolder {
  readonly gateway: MqttGateway
  readonly transport: ByteTransport
  readonly outbox: Outbox
  /** OPENING, CLAIMING, OPEN or CLOSED. */
  state: number = OPENING
  version: Version = 4
  clientId = ''
  /** True while the gateway's list has it. */
  dirty = false
  /** Reason to close with when the tick ends; 0: none. */
  doom = NOT_REFUSED
  /** A whole packet has come since the last sweep. Times are ms of the broker's clock. */
  heard = true
  heardAt: number
  /** 0: no limit. */
  keepAliveMs = 0
  /** Since when the socket has not taken what it was given; -1: it has. */
  stalledAt = -1
  closedAt = 0

  /** Bits of `BLOCKED_*`; while any is set no packet is read, and what comes is held. */
  blocked = 0
  /** Input behind the packet that blocked; null if none. */
  held: Buffer[] | null = null
  heldBytes = 0
  /** A packet that has not arrived whole; null if none. */
  assembly: Assembly | null = null

  /** Publishes to be acknowledged; null until the client publishes at QoS 1. */
  acknowledgements: Acknowledgements | null = null
  topics: TopicCache | null = null

  /** Deliveries at QoS 1; null until the first. */
  inflight: Inflight | null = null
  inflightMax: number
  /** Deliveries that wait for room; null until there was one. */
  queue: PacketQueue | null = null
  /** Largest packet the client takes, in bytes. */
  packetBytesMax = Number.MAX_SAFE_INTEGER

  /** Filters subscribed to; null until the first. */
  filters: Set<string> | null = null
  /** SUBSCRIBE and UNSUBSCRIBE packets being worked on, one after the other. */
  control: Promise<void> = Promise.resolve()
  controls = 0
  will: Will | null = null

  constructor(gateway: MqttGateway, transport: ByteTransport) {
    this.gateway = gateway
    this.transport = transport
    this.outbox = new Outbox(transport, gateway.scratch)
    this.heardAt = gateway.broker.clock.now()
    this.inflightMax = gateway.options.inflightMax
  }

  // ── input ──

  /** Takes bytes in order. The chunk is kept by the messages in it and must not be written to again. */
  onData(chunk: Buffer): void {
    if (this.state === CLOSED) return
    if (this.blocked !== 0) this.#hold(chunk)
    else this.#consume(chunk)
  }

  #consume(chunk: Buffer): void {
    let at = 0
    if (this.assembly !== null) {
      at = this.#assemble(this.assembly, chunk, 0)
      if (at < 0) return
    }
    const { header, options } = this.gateway
    const length = chunk.length
    while (at < length && this.blocked === 0) {
      const status = header.read(chunk, at, length)
      if (status < 0) return this.refuse(MALFORMED_PACKET)
      if (this.state === OPENING && chunk[at]! >> 4 !== 1) return this.refuse(PROTOCOL_ERROR) // [MQTT-3.1.0-1]
      if (status > 0 && header.end - at > options.packetBytesMax) return this.refuse(PACKET_TOO_LARGE)
      if (status === 0 || header.end > length) {
        this.assembly = new Assembly()
        at = this.#assemble(this.assembly, chunk, at)
        if (at < 0) return
        continue
      }
      const end = header.end
      this.#packet(chunk, at, header.start, end, header.minimal)
      if (this.state === CLOSED) return
      at = end
    }
    if (at < length) this.#hold(at === 0 ? chunk : chunk.subarray(at))
  }

  /** Adds to the packet that has not arrived whole; returns where the rest of the chunk begins, -1 if closed. */
  #assemble(assembly: Assembly, chunk: Buffer, from: number): number {
    const { header, options } = this.gateway
    let at = assembly.takeHeader(chunk, from, header)
    if (at < 0) return this.#fault(MALFORMED_PACKET)
    if (this.state === OPENING && assembly.length > 0 && assembly.buffer[0]! >> 4 !== 1) {
      return this.#fault(PROTOCOL_ERROR) // [MQTT-3.1.0-1]
    }
    if (assembly.expected > options.packetBytesMax) return this.#fault(PACKET_TOO_LARGE)
    if (assembly.expected === 0) return at
    at = assembly.takeRest(chunk, at)
    if (!assembly.whole) return at
    this.assembly = null
    header.read(assembly.buffer, 0, assembly.length)
    this.#packet(assembly.buffer, 0, header.start, assembly.length, header.minimal)
    return this.#isClosed ? -1 : at
  }

  get #isClosed(): boolean {
    return this.state === CLOSED
  }

  #fault(reason: number): number {
    this.refuse(reason)
    return -1
  }

  /** One whole packet: its first byte at `at`, its rest `start..end`. */
  #packet(chunk: Buffer, at: number, start: number, end: number, minimal: boolean): void {
    this.heard = true
    const first = chunk[at]!
    const type = first >> 4
    if (type === 3) {
      if (minimal) onPublish(this, chunk, at, start, end)
      else this.refuse(MALFORMED_PACKET) // [MQTT-1.5.5-1]
      return
    }
    // [MQTT-2.1.3-1] (3.1.1: [MQTT-2.2.2-1])
    if ((first & 0x0f) !== (type === 8 || type === 10 || type === 6 ? 2 : 0))
      return this.refuse(MALFORMED_PACKET)
    if (!minimal && this.version === 5) return this.refuse(MALFORMED_PACKET)
    switch (type) {
      case 1:
        if (this.state === OPENING) onConnect(this, chunk, at, start, end)
        else this.refuse(PROTOCOL_ERROR) // [MQTT-3.1.0-2]
        return
      case 4: {
        const reason = checkPuback(chunk, start, end, this.version)
        if (reason === SUCCESS) this.#acknowledged(packetId(chunk, start))
        else this.refuse(reason)
        return
      }
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
      default:
        // QoS 2 is not offered, AUTH needs a method, all others are the server's.
        this.refuse(PROTOCOL_ERROR)
    }
  }

  #hold(chunk: Buffer): void {
    this.held ??= []
    this.held.push(chunk)
    this.heldBytes += chunk.length
    if (this.heldBytes > HELD_BYTES_MAX + this.gateway.options.packetBytesMax) this.refuse(QUOTA_EXCEEDED)
  }

  /** Reads no further until `unblock` with the same bit. */
  block(bit: number): void {
    if (this.blocked === 0) this.transport.pause()
    this.blocked |= bit
  }

  unblock(bit: number): void {
    if ((this.blocked & bit) === 0) return
    this.blocked &= ~bit
    if (this.state === CLOSED) return
    while (this.blocked === 0 && this.held !== null) {
      const held = this.held
      this.held = null
      this.heldBytes = 0
      for (const chunk of held) this.onData(chunk)
    }
    if (this.blocked === 0 && !this.#isClosed) this.transport.resume()
  }

  /**
   * Does the work of a SUBSCRIBE or UNSUBSCRIBE behind that of those before it. While `CONTROLS_MAX` wait, nothing more
   * is read.
   */
  enqueue(work: () => Promise<void>): void {
    this.controls++
    if (this.controls >= CONTROLS_MAX) this.block(BLOCKED_CONTROL)
    this.control = this.control.then(work).then(
      () => this.#controlled(),
      error => {
        this.gateway.broker.log.error({ client: this.clientId, error }, 'subscribe failed')
        this.close(IMPLEMENTATION_SPECIFIC)
      }
    )
  }

  #controlled(): void {
    this.controls--
    if (this.controls < CONTROLS_MAX) this.unblock(BLOCKED_CONTROL)
  }

  // ── output ──

  /** Takes a message from the broker. */
  deliver(message: Message, match: Match, retained: boolean): void {
    if (this.state !== OPEN || this.doom !== NOT_REFUSED) return
    if (match.noLocal && message.publisher === this) return // [MQTT-3.8.3-3]
    const encoder = this.gateway.encoder
    const version = this.version
    const plain = !retained && !(match.retainAsPublished && message.retain) && match.identifiers.length === 0
    if (!plain) {
      const retain = retained || (match.retainAsPublished && message.retain) // [MQTT-3.3.1-12], [MQTT-3.3.1-13]
      const qos = message.qos === 0 || match.qos === 0 ? 0 : 1
      encoder.write(message, version, qos, retain, match.identifiers)
      this.#post(encoder.buffer, encoder.start, encoder.end, encoder.idOffset)
    } else if (message.qos > 0 && match.qos > 0) {
      const template = encoder.templateOf(message, version)
      this.#post(template.buffer, template.start, template.end, template.idOffset)
    } else if (version === 4) {
      if (message.packetStart >= 0) {
        this.#post(message.buffer, message.packetStart, message.payloadEnd, 0)
      } else {
        if (message.mqtt3 === null) encoder.publish4(message)
        this.#post(message.mqtt3!, message.mqtt3Start, message.mqtt3End, 0)
      }
    } else {
      if (message.mqtt5 === null) encoder.publish5(message)
      this.#post(message.mqtt5!, message.mqtt5Start, message.mqtt5End, 0)
    }
  }

  /** Sends a PUBLISH, or queues or drops it. `idOffset` is 0 at QoS 0. */
  #post(buffer: Uint8Array, start: number, end: number, idOffset: number): void {
    const outbox = this.outbox
    const size = end - start
    if (size > this.packetBytesMax) {
      this.gateway.counters.droppedTooLarge++ // [MQTT-3.1.2-25]
      return
    }
    if (
      (this.queue !== null && this.queue.count > 0) ||
      (outbox.bytes > 0 && outbox.bytes + size > this.gateway.options.outboxBytesMax)
    ) {
      return this.#enqueue(buffer, start, end, idOffset)
    }
    if (idOffset === 0) outbox.push(buffer, start, end)
    else {
      this.inflight ??= new Inflight(this.inflightMax)
      if (!this.inflight.hasRoom) return this.#enqueue(buffer, start, end, idOffset) // [MQTT-3.3.4-9]
      outbox.pushWithId(buffer, start, end, idOffset, this.inflight.take())
    }
    this.gateway.counters.messagesOut++
    if (!this.dirty) this.gateway.markDirty(this)
  }

  #enqueue(buffer: Uint8Array, start: number, end: number, idOffset: number): void {
    const { options, counters } = this.gateway
    if (idOffset === 0 && this.outbox.bytes + end - start > options.outboxBytesMax) {
      counters.dropped++
      return
    }
    this.queue ??= new PacketQueue()
    const queue = this.queue
    if (queue.count < options.queueMax && queue.bytes + end - start <= options.queueBytesMax) {
      queue.add(buffer, start, end, idOffset)
    } else if (idOffset === 0) {
      counters.dropped++
    } else {
      counters.overflowed++
      this.closeSoon(QUOTA_EXCEEDED)
    }
  }

  /** The client has acknowledged a delivery; an id that is not in flight is ignored. */
  #acknowledged(id: number): void {
    if (this.inflight?.acknowledge(id) === true) this.#drainQueue()
  }

  /** Sends what has been waiting, as far as there is room. */
  #drainQueue(): void {
    const queue = this.queue
    if (queue === null || this.state !== OPEN) return
    const { outbox, gateway } = this
    this.inflight ??= new Inflight(this.inflightMax)
    while (queue.count > 0) {
      const { start, end, idOffset } = queue
      if (outbox.bytes > 0 && outbox.bytes + end - start > gateway.options.outboxBytesMax) break
      if (idOffset === 0) outbox.push(queue.buffer, start, end)
      else {
        if (!this.inflight.hasRoom) break
        outbox.pushWithId(queue.buffer, start, end, idOffset, this.inflight.take())
      }
      gateway.counters.messagesOut++
      queue.shift()
    }
    if (!this.dirty) gateway.markDirty(this)
  }

  /** A publish of this client is safe, or has failed. */
  published(token: number, reason: number): void {
    const acknowledgements = this.acknowledgements
    if (acknowledgements === null || this.state !== OPEN) return
    // 3.1.1 cannot say no: not to acknowledge is to close. [MQTT-3.3.5-2]
    if (reason >= 0x80 && this.version === 4) return this.closeSoon(IMPLEMENTATION_SPECIFIC)
    acknowledgements.settle(token, reason)
    if (!this.dirty && acknowledgements.ready) this.gateway.markDirty(this)
  }

  /** Sends a packet that is not a PUBLISH. */
  send(bytes: Uint8Array): void {
    if (this.state === CLOSED) return
    if (bytes.length > this.packetBytesMax) return this.closeSoon(PACKET_TOO_LARGE) // [MQTT-3.1.2-24]
    // A client that asks and never reads: each of its PINGREQs, SUBSCRIBEs, … is answered with a few bytes.
    if (this.outbox.bytes > 2 * this.gateway.options.outboxBytesMax) return this.closeSoon(QUOTA_EXCEEDED)
    this.outbox.push(bytes, 0, bytes.length)
    if (!this.dirty) this.gateway.markDirty(this)
  }

  /** Called by the gateway when the tick ends. */
  flush(): void {
    if (this.doom !== NOT_REFUSED) return this.close(this.doom)
    if (this.state === CLOSED) return
    this.outbox.flush()
    if ((this.blocked & BLOCKED_UNACKNOWLEDGED) !== 0) {
      const waiting = this.acknowledgements === null ? 0 : this.acknowledgements.count
      if (waiting < this.gateway.options.receiveMaximum) this.unblock(BLOCKED_UNACKNOWLEDGED)
    }
  }

  /** The transport has taken all it was given. */
  onWritable(): void {
    this.stalledAt = -1
    if (this.state === CLOSED) return
    this.outbox.onWritable()
    this.#drainQueue()
  }

  // ── the end ──

  /** A newer connection has the client id. */
  takenOver(): void {
    this.gateway.counters.takenOver++
    this.close(SESSION_TAKEN_OVER) // [MQTT-3.1.4-3]
  }

  /** Closes for a fault of the client. v5 is told the reason. */
  refuse(reason: number): void {
    if (this.state === CLOSED) return
    this.gateway.counters.faults++
    this.gateway.broker.log.info(
      { client: this.clientId, remote: this.transport.remoteAddress, reason },
      'client at fault'
    )
    this.close(reason)
  }

  /** Closes at the end of the tick: for use while the broker is delivering. */
  closeSoon(reason: number): void {
    if (this.state === CLOSED || this.doom !== NOT_REFUSED) return
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
      if (bytes.length <= this.packetBytesMax) this.outbox.push(bytes, 0, bytes.length)
    }
    this.outbox.flush()
    this.#end(reason)
    this.#finish()
  }

  /** The client has said goodbye; `clean` if its will is not to be published. */
  leave(clean: boolean): void {
    this.outbox.flush()
    this.#end(clean ? SUCCESS : UNSPECIFIED)
    this.#finish()
  }

  /** Hands the socket the rest of the output and ends it; what the socket does not take in time is lost. */
  #finish(): void {
    const backlog = this.outbox.backlog
    for (let bytes = backlog?.shift() ?? null; bytes !== null; bytes = backlog!.shift()) {
      this.transport.write(bytes)
    }
    this.outbox.drop()
    this.transport.end()
  }

  /** Closes at once. */
  destroy(): void {
    this.#end(IMPLEMENTATION_SPECIFIC)
    this.outbox.drop()
    this.transport.destroy()
  }

  /** The transport is closed. */
  onClose(): void {
    this.#end(IMPLEMENTATION_SPECIFIC)
    this.outbox.drop()
    this.gateway.forget(this)
  }

  /** Gives back all that the connection has of the broker, once. */
  #end(reason: number): void {
    const state = this.state
    if (state === CLOSED) return
    this.state = CLOSED
    const { broker } = this.gateway
    this.closedAt = broker.clock.now()
    this.held = null
    this.assembly = null
    this.queue = null
    this.inflight = null
    this.acknowledgements = null
    this.topics = null
    if (state === OPENING) return
    if (this.filters !== null) broker.unsubscribeAll(this)
    this.filters = null
    broker.release(this.clientId, this)
    const will = this.will
    this.will = null
    if (will !== null && state === OPEN && reason !== SUCCESS) publishWill(this.gateway, will) // [MQTT-3.1.2-8], [MQTT-3.1.2-10]
    broker.log.debug({ client: this.clientId, reason }, 'client disconnected')
  }
}
