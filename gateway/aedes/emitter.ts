// The mqemitter interface on a broker's topics: what one process emits, the listeners of all processes hear. An emit is a
// message of QoS 1, and called back when every node with a listener has taken it; so what was called back is not lost with the
// process that emitted it, and a listener that was called back by `on` misses nothing that is emitted after.
// Source: mqemitter 7; the order is the broker's: total for a topic, whoever emits.
import assert from 'node:assert'
import type { Broker } from '../../broker/broker.ts'
import { ShoalError } from '../../broker/errors.ts'
import { Message, type Receipt } from '../../broker/message.ts'
import type { Subscriber } from '../../broker/topics/subscription.ts'
import { Lanes } from './lanes.ts'
import { Naming } from './naming.ts'
import { decodePacket, encodePacket, type Packet } from './packet.ts'

export interface EmitterOptions {
  /** Calls of listeners that may be under way; others wait. 0, the default: no limit but `waitingMax`. */
  concurrency: number
  separator: string
  wildcardOne: string
  wildcardSome: string
  /** False: a wildcard for one level does not match an empty one. */
  matchEmptyLevels: boolean
  /** Calls of listeners that are under way or wait; for one more its message is dropped there, and counted. */
  waitingMax: number
  /** Emits that were not called back; one more fails with LIMIT_EXCEEDED. */
  emitsMax: number
}

export const EMITTER_OPTIONS: Readonly<EmitterOptions> = {
  concurrency: 0,
  separator: '/',
  wildcardOne: '+',
  wildcardSome: '#',
  matchEmptyLevels: true,
  waitingMax: 100_000,
  emitsMax: 65_536
}

export type Emitted = Packet & { topic: string }
export type EmitterCallback = (error?: Error | null) => void
export type EmitterListener = (this: RingEmitter, message: Emitted, done: () => void) => void

const SUBSCRIPTION = { qos: 1, noLocal: false, retainAsPublished: false, identifier: 0 } as const
/** MQTT 5 reason codes from here on are failures. */
const FAILURE = 0x80

export class RingEmitter implements Receipt {
  /** Messages whose listeners are at work. */
  current = 0
  closed = false
  readonly concurrency: number
  readonly counters = { emitted: 0, delivered: 0, dropped: 0, malformed: 0 }
  readonly #broker: Broker
  readonly #options: EmitterOptions
  readonly #naming: Naming
  readonly #lanes = new Lanes()
  readonly #rows = new Map<string, Row>()
  readonly #callbacks = new Map<number, EmitterCallback>()
  readonly #waiting: { row: Row; message: Emitted }[] = []
  #tokens = 0
  /** Rows are told of a message one after the other: it is decoded once for all. */
  #lastMessage: Message | null = null
  #lastEmitted: Emitted | null = null

  constructor(broker: Broker, options: Partial<EmitterOptions> = {}) {
    this.#broker = broker
    this.#options = { ...EMITTER_OPTIONS, ...options }
    this.#naming = new Naming(this.#options)
    this.concurrency = this.#options.concurrency
  }

  /** Messages that wait for listeners of others to be done. */
  get length(): number {
    return this.#waiting.length
  }

  /** Calls back when everything that is emitted from now on, anywhere, is heard here; with FILTER_INVALID, TIMEOUT or CLOSED. */
  on(pattern: string, listener: EmitterListener, done?: EmitterCallback): this {
    assert(pattern)
    assert(listener)
    let row = this.#rows.get(pattern)
    if (row === undefined) {
      row = new Row(pattern, this.#naming.filter(pattern), (told, message) => this.#take(told, message))
      this.#rows.set(pattern, row)
      row.subscribed = this.#broker.subscribe(row, row.filter, SUBSCRIPTION)
    }
    row.listeners.push(listener)
    row.subscribed.then(
      () => setImmediate(() => done?.()),
      (error: Error) => {
        this.#forget(row, listener)
        if (done === undefined) this.#broker.log.warn({ pattern, error }, 'aedes listener not subscribed')
        else done(error)
      }
    )
    return this
  }

  removeListener(pattern: string, listener: EmitterListener, done?: EmitterCallback): this {
    assert(pattern)
    assert(listener)
    const row = this.#rows.get(pattern)
    if (row !== undefined) this.#forget(row, listener)
    if (done !== undefined) setImmediate(done)
    return this
  }

  removeAllListeners(pattern: string, done?: EmitterCallback): this {
    assert(pattern)
    const row = this.#rows.get(pattern)
    for (const listener of row?.listeners ?? []) this.#forget(row!, listener)
    if (done !== undefined) setImmediate(done)
    return this
  }

  /** Calls back when every node with a listener has taken it; with CLOSED, TOPIC_INVALID, BAD_REQUEST, LIMIT_EXCEEDED or what the broker failed with. */
  emit(message: { topic: string }, callback: EmitterCallback = () => {}): this {
    assert(message)
    if (this.closed) {
      callback(new ShoalError('CLOSED', { emitter: 'closed' }))
      return this
    }
    const token = this.#tokens++
    try {
      if (this.#callbacks.size >= this.#options.emitsMax)
        throw new ShoalError('LIMIT_EXCEEDED', { limit: 'emitsMax', max: this.#options.emitsMax })
      const bytes = encodePacket(message)
      const topic = this.#broker.topic(this.#naming.topic(message.topic))
      const sent = new Message(topic, bytes, 0, bytes.length, 1, false)
      sent.receipt = this
      sent.token = token
      this.#callbacks.set(token, callback)
      this.counters.emitted++
      this.#broker.publish(sent)
    } catch (error) {
      callback(error as Error)
    }
    return this
  }

  /** Of the broker: a message is safe, or will never be. */
  published(token: number, reason: number, count: number): void {
    for (let each = token; each < token + count; each++) {
      const callback = this.#callbacks.get(each)
      this.#callbacks.delete(each)
      callback?.(reason < FAILURE ? null : new ShoalError('PEER_GONE', { emit: 'not taken', reason }))
    }
  }

  /** Hears and emits no more. The broker stays. */
  close(callback?: EmitterCallback): this {
    this.closed = true
    for (const row of this.#rows.values()) this.#broker.unsubscribeAll(row)
    this.#rows.clear()
    this.#waiting.length = 0
    if (callback !== undefined) setImmediate(callback)
    return this
  }

  #forget(row: Row, listener: EmitterListener): void {
    const index = row.listeners.indexOf(listener)
    if (index === -1) return
    // Not in place: it may be heard by its listeners just now.
    row.listeners = row.listeners.toSpliced(index, 1)
    if (row.listeners.length > 0 || this.#rows.get(row.pattern) !== row) return
    this.#rows.delete(row.pattern)
    this.#broker.unsubscribeAll(row)
  }

  #take(row: Row, message: Message): void {
    const emitted = this.#decode(message)
    if (emitted === null || this.closed) return
    const { matchEmptyLevels, waitingMax } = this.#options
    if (!matchEmptyLevels && this.#naming.hasEmptyLevel(row.pattern, emitted.topic)) return
    if (this.current + this.#waiting.length >= waitingMax) this.counters.dropped++
    else if (this.concurrency > 0 && this.current >= this.concurrency)
      this.#waiting.push({ row, message: emitted })
    else this.#tell(row, emitted)
  }

  #decode(message: Message): Emitted | null {
    if (message === this.#lastMessage) return this.#lastEmitted
    this.#lastMessage = message
    try {
      this.#lastEmitted = decodePacket(message.payload()) as Emitted
      this.#setLane(this.#lastEmitted)
    } catch (error) {
      this.#lastEmitted = null
      this.counters.malformed++
      this.#broker.log.warn({ error }, 'aedes message malformed')
    }
    return this.#lastEmitted
  }

  #setLane(message: Emitted): void {
    const { brokerId, brokerCounter } = message
    if (typeof brokerId !== 'string' || typeof brokerCounter !== 'number') return
    message.brokerId = this.#lanes.laneOf(brokerId, brokerCounter)
  }

  #tell(row: Row, message: Emitted): void {
    const { listeners } = row
    let undone = listeners.length
    if (undone === 0) return
    this.current++
    this.counters.delivered++
    const done = (): void => {
      if (--undone === 0) this.#done()
    }
    for (const listener of listeners) {
      try {
        listener.call(this, message, done)
      } catch (error) {
        // A bug of the program, which ends it, but not of the broker, whose turn this is.
        setImmediate(() => {
          throw error
        })
        done()
      }
    }
  }

  #done(): void {
    this.current--
    const next = this.#waiting.shift()
    if (next !== undefined) this.#tell(next.row, next.message)
  }
}

/** The listeners of one pattern: to the broker a subscriber of one filter. */
class Row implements Subscriber {
  readonly pattern: string
  readonly filter: string
  listeners: EmitterListener[] = []
  subscribed: Promise<unknown> = Promise.resolve()
  readonly #take: (row: Row, message: Message) => void

  constructor(pattern: string, filter: string, take: (row: Row, message: Message) => void) {
    this.pattern = pattern
    this.filter = filter
    this.#take = take
  }

  deliver(message: Message): void {
    this.#take(this, message)
  }
}
