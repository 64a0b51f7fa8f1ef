// A client's deliveries on their way out: straight into the outbox while there is room, into a queue
// otherwise; at QoS 1 and 2 no more unacknowledged than the client has asked for. Order is kept through all of it.
// A run goes as one as long as there is room for all of it, and packet by packet where there is not.
//
//   post ──▶ room and nothing queued? ──▶ outbox ──▶ socket
//                   no │                    ▲
//                      ▼                    │ PUBACK, PUBCOMP, or the socket has taken what it had
//                    queue ─────────────────┘        full: QoS 0 is dropped, else closes (0x97)
import type { QoS } from '../../broker/message.ts'
import { packetEnd } from '../../broker/run.ts'
import type { MqttCounters } from './counters.ts'
import { Inflight } from './inflight.ts'
import type { MqttOptions } from './options.ts'
import type { Outbox } from './outbox.ts'
import { PacketQueue } from './packet-queue.ts'

export class Deliveries {
  readonly outbox: Outbox
  readonly options: Readonly<MqttOptions>
  readonly counters: MqttCounters
  /** Null until the first delivery at QoS 1 or 2. */
  inflight: Inflight | null = null
  inflightMax: number
  /** Deliveries that wait for room; null until there was one. */
  queue: PacketQueue | null = null
  /** Largest packet the client takes, in bytes. */
  packetBytesMax = Number.MAX_SAFE_INTEGER

  constructor(outbox: Outbox, options: Readonly<MqttOptions>, counters: MqttCounters) {
    this.outbox = outbox
    this.options = options
    this.counters = counters
    this.inflightMax = options.inflightMax
  }

  /**
   * Sends `count` PUBLISH packets that lie one behind the other, or queues or drops those for which there is no room, one
   * by one. False if one of QoS 1 or 2 finds no room at all: the connection must be closed.
   */
  post(buffer: Uint8Array, start: number, end: number, qos: QoS, count: number): boolean {
    const size = end - start
    if (size > this.packetBytesMax) {
      if (count > 1) return this.#postEach(buffer, start, end, qos)
      this.counters.droppedTooLarge++ // [MQTT-3.1.2-25]
      return true
    }
    if (this.waiting || !this.#fits(size, count)) return this.#enqueue(buffer, start, end, qos, count)
    if (qos === 0) this.outbox.push(buffer, start, end)
    else {
      this.inflight ??= new Inflight(this.inflightMax)
      if (this.inflight.room < count) return this.#enqueue(buffer, start, end, qos, count) // [MQTT-3.3.4-9]
      this.outbox.pushWithIds(buffer, start, end, this.inflight.take(count), count)
    }
    this.counters.messagesOut += count
    return true
  }

  /** Whether deliveries are queued. */
  get waiting(): boolean {
    return this.queue !== null && this.queue.count > 0
  }

  /** Half of a limit is reached: of the queue, or of the outbox. */
  get isBusy(): boolean {
    const { queueMax, queueBytesMax, outboxBytesMax } = this.options
    if (this.outbox.bytes > outboxBytesMax / 2) return true
    return this.queue !== null && (this.queue.count > queueMax / 2 || this.queue.bytes > queueBytesMax / 2)
  }

  /** The client has acknowledged a delivery. True if the queue may go on; an id that is not in flight is ignored. */
  acknowledge(id: number): boolean {
    return this.inflight?.acknowledge(id) === true && this.waiting
  }

  /** Sends what has been queued, as far as there is room. */
  drain(): void {
    const queue = this.queue
    if (queue === null) return
    const outbox = this.outbox
    this.inflight ??= new Inflight(this.inflightMax)
    const { inflight } = this
    while (queue.count > 0) {
      const bytesMax = this.options.outboxBytesMax - outbox.bytes
      if (queue.find(queue.count, bytesMax, inflight.room) === 0) {
        // A single packet has room in an empty outbox.
        if (outbox.bytes > 0 || queue.find(1, Number.MAX_SAFE_INTEGER, inflight.room) === 0) return
      }
      const { buffer, start, end, found } = queue
      if (queue.qos === 0) outbox.push(buffer, start, end)
      else outbox.pushWithIds(buffer, start, end, inflight.take(found), found)
      this.counters.messagesOut += found
      queue.shift()
    }
  }

  /** Gives back the memory of a queue in which nothing waits: 16 KiB, or what the last large message took. */
  rest(): void {
    if (this.queue !== null && this.queue.count === 0) this.queue = null
  }

  /** Forgets what waits. */
  drop(): void {
    this.queue = null
    this.inflight = null
  }

  /** Whether packets have room in the outbox: a single one always has when it is empty. */
  #fits(size: number, count: number): boolean {
    const bytes = this.outbox.bytes
    return bytes + size <= this.options.outboxBytesMax || (bytes === 0 && count === 1)
  }

  #postEach(buffer: Uint8Array, start: number, end: number, qos: QoS): boolean {
    for (let at = start; at < end; ) {
      const next = packetEnd(buffer, at)
      if (!this.post(buffer, at, next, qos, 1)) return false
      at = next
    }
    return true
  }

  #enqueue(buffer: Uint8Array, start: number, end: number, qos: QoS, count: number): boolean {
    const { queueMax, queueBytesMax } = this.options
    const size = end - start
    const { queue } = this
    const hasRoom = count + (queue?.count ?? 0) <= queueMax && size + (queue?.bytes ?? 0) <= queueBytesMax
    if (hasRoom && (qos > 0 || this.#fits(size, count))) {
      this.queue ??= new PacketQueue()
      this.queue.add(buffer, start, end, count)
      // A part of a run may have the room that the whole has not.
      if (count > 1 && this.queue.count === count) this.drain()
      return true
    }
    if (count > 1) return this.#postEach(buffer, start, end, qos)
    if (qos === 0) {
      this.counters.dropped++
      return true
    }
    this.counters.overflowed++
    return false
  }
}
