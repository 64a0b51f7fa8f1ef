// A client's deliveries on their way out: straight into the outbox while there is room, into a queue
// otherwise; at QoS 1 no more unacknowledged than the client has asked for. Order is kept through all of it.
//
//   post ──▶ room and nothing queued? ──▶ outbox ──▶ socket
//                   no │                    ▲
//                      ▼                    │ PUBACK, or the socket has taken what it had
//                    queue ─────────────────┘        full: QoS 0 is dropped, QoS 1 closes (0x97)
import type { MqttCounters } from './counters.ts'
import { Inflight } from './inflight.ts'
import type { MqttOptions } from './options.ts'
import type { Outbox } from './outbox.ts'
import { PacketQueue } from './packet-queue.ts'

export class Deliveries {
  readonly outbox: Outbox
  readonly options: Readonly<MqttOptions>
  readonly counters: MqttCounters
  /** Null until the first delivery at QoS 1. */
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
   * Sends a PUBLISH, or queues or drops it. `idOffset` is where its packet id belongs, 0 at QoS 0. False if it is a
   * QoS 1 message for which there is no room at all: the connection must be closed.
   */
  post(buffer: Uint8Array, start: number, end: number, idOffset: number): boolean {
    const outbox = this.outbox
    const size = end - start
    if (size > this.packetBytesMax) {
      this.counters.droppedTooLarge++ // [MQTT-3.1.2-25]
      return true
    }
    if (this.waiting || !this.#fits(size)) {
      return this.#enqueue(buffer, start, end, idOffset)
    }
    if (idOffset === 0) outbox.push(buffer, start, end)
    else {
      this.inflight ??= new Inflight(this.inflightMax)
      if (!this.inflight.hasRoom) return this.#enqueue(buffer, start, end, idOffset) // [MQTT-3.3.4-9]
      outbox.pushWithId(buffer, start, end, idOffset, this.inflight.take())
    }
    this.counters.messagesOut++
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
    while (queue.count > 0) {
      const { start, end, idOffset } = queue
      if (!this.#fits(end - start)) return
      if (idOffset === 0) outbox.push(queue.buffer, start, end)
      else {
        if (!this.inflight.hasRoom) return
        outbox.pushWithId(queue.buffer, start, end, idOffset, this.inflight.take())
      }
      this.counters.messagesOut++
      queue.shift()
    }
  }

  /** Forgets what waits. */
  drop(): void {
    this.queue = null
    this.inflight = null
  }

  /** Whether a packet has room in the outbox: any has when it is empty. */
  #fits(size: number): boolean {
    const bytes = this.outbox.bytes
    return bytes === 0 || bytes + size <= this.options.outboxBytesMax
  }

  #enqueue(buffer: Uint8Array, start: number, end: number, idOffset: number): boolean {
    const size = end - start
    if (idOffset === 0 && !this.#fits(size)) {
      this.counters.dropped++
      return true
    }
    this.queue ??= new PacketQueue()
    const queue = this.queue
    if (queue.count < this.options.queueMax && queue.bytes + size <= this.options.queueBytesMax) {
      queue.add(buffer, start, end, idOffset)
      return true
    }
    if (idOffset === 0) {
      this.counters.dropped++
      return true
    }
    this.counters.overflowed++
    return false
  }
}
