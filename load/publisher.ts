// Sends one client's messages: as many as its window, its schedule and the socket allow, in one write.
// Closed loop: the window counts messages whose deliveries (and PUBACK) are outstanding. Open loop: the
// schedule says what is due, and each message carries the time it was due, not the time it left.
// Source: Gil Tene, "How NOT to Measure Latency" (coordinated omission).
import { type Board, COUNTER, type Row } from './board.ts'
import type { LoadClient, PublishRing, Qos } from './client.ts'
import { bucketOf } from './latency.ts'

export interface PublisherOptions {
  topics: readonly string[]
  firstStream: number
  /** Deliveries that each message should cause. */
  fanout: number
  /** Messages in flight at most. */
  window: number
  /** Messages a write at most; in closed loop a write waits until this many may go. */
  batch: number
  qos: Qos
  /** Open loop: µs between two messages of this publisher. 0 means closed loop. */
  intervalUs: number
}

export class Publisher {
  readonly client: LoadClient
  /** Messages sent. */
  sent = 0
  /** Open loop: messages due so far. */
  due = 0
  /** Open loop: when message 0 is due, µs. */
  startUs = 0

  readonly #options: PublisherOptions
  readonly #ring: PublishRing
  readonly #board: Board
  readonly #row: Row
  /** Messages whose deliveries will not come: written off by `forgive`. */
  #forgiven = 0
  /** Open loop: messages before this one, if not sent yet, were due while the broker had not taken earlier ones. */
  #heldBackTo = 0

  constructor(client: LoadClient, ring: PublishRing, options: PublisherOptions, board: Board, row: Row) {
    this.client = client
    this.#options = options
    this.#ring = ring
    this.#board = board
    this.#row = row
  }

  /** Sends what may go now. Returns whether something is left that waits for the window or the socket. */
  pump(timeUs: number): boolean {
    const { intervalUs, batch } = this.#options
    while (this.client.writable) {
      const room = this.#room()
      let count = Math.min(batch, room)
      if (intervalUs > 0) count = Math.min(count, this.due - this.sent)
      else if (count < batch) return true
      if (count <= 0) break
      this.#send(count, timeUs)
    }
    if (intervalUs === 0) return true
    if (this.sent === this.due) return false
    this.#row.counters[COUNTER.heldBack]! += this.due - Math.max(this.sent, this.#heldBackTo)
    this.#heldBackTo = this.due
    return true
  }

  /** QoS 0: gives up on what is outstanding, so that the window opens again after a loss. */
  forgive(): void {
    if (this.#options.qos > 0) return
    this.#forgiven += this.sent - this.#settled()
  }

  #settled(): number {
    const { firstStream, topics, fanout } = this.#options
    let deliveries = 0
    for (let i = 0; i < topics.length; i++) deliveries += this.#board.settledOf(firstStream + i)
    return Math.min(this.sent, Math.floor(deliveries / fanout) + this.#forgiven)
  }

  #room(): number {
    const { window, qos } = this.#options
    const room = window - (this.sent - this.#settled())
    if (qos === 0) return room
    const unacknowledged = this.sent - this.client.acknowledged
    return Math.min(room, Math.min(window, this.client.receiveMaximum) - unacknowledged)
  }

  #send(most: number, timeUs: number): void {
    const { topics, firstStream, intervalUs } = this.#options
    const ring = this.#ring
    const place = this.sent % ring.length
    const count = Math.min(most, ring.length - place)
    for (let i = 0; i < count; i++) {
      const message = this.sent + i
      const topic = (place + i) % topics.length
      let stampUs = timeUs
      if (intervalUs > 0) {
        stampUs = this.startUs + message * intervalUs
        if (message >= this.#heldBackTo) this.#row.lateness[bucketOf(timeUs - stampUs)]! += 1
      }
      ring.stamp(place + i, message, Math.floor(message / topics.length), stampUs)
      this.#board.published[firstStream + topic]! += 1
    }
    this.sent += count
    this.client.write(ring.slice(place, count), count)
  }
}
