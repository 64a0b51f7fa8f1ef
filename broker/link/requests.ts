// Requests in both directions, their replies and their failures. A request is settled exactly once: by the
// reply, by a failure, by its deadline, or by the end of the link.
import type { Duplex, Stream } from 'node:stream'
import { ERRORS, type ErrorCode, ShoalError } from '../errors.ts'
import type { Clock, Timer } from '../runtime/clock.ts'
import { FRAME, NAME_BYTES_MAX } from './frame.ts'
import type { Reply } from './handlers.ts'
import type { Joined, Streams } from './streams.ts'
import { decodeValue, encodeValue, messagePack, type ValueCodec } from './value.ts'
import { Cursor, VARINT_BYTES_MAX, writeVarint } from './varint.ts'
import { INLINE_BYTES_MAX, type Writer } from './writer.ts'

export type StreamsByName = Readonly<Record<string, Duplex>>

export type Settled = (error: ShoalError | null, body: unknown, streams: StreamsByName) => void

export interface RequestsOptions {
  peerId: string
  /** Unsettled requests in each direction. */
  requestsMax: number
  /** Body of a frame that the peer accepts. */
  frameBytesMax: number
  clock: Clock
  /** How bodies cross; MessagePack by default. */
  codec?: ValueCodec
}

/** Where requests of the peer go. `bytes`: of the body as it came, which views in it keep alive. */
export interface RequestsEvents {
  request(name: string, body: unknown, reply: Reply, bytes: number): void
  fire(name: string, body: unknown, bytes: number): void
}

interface Pending {
  readonly name: string
  readonly timer: Timer
  readonly joined: readonly Joined[]
  readonly settled: Settled
}

const noStreams: StreamsByName = Object.freeze({})
const noneJoined: readonly Joined[] = []

export class Requests {
  readonly #writer: Writer
  readonly #streams: Streams
  readonly #options: RequestsOptions
  readonly #events: RequestsEvents
  readonly #codec: ValueCodec
  readonly #pending: Map<number, Pending>
  readonly #cursor: Cursor
  #nextId: number
  #lastPeerId: number
  /** Requests of the peer that we have not answered. */
  #unanswered: number
  #closed: boolean

  constructor(writer: Writer, streams: Streams, options: RequestsOptions, events: RequestsEvents) {
    this.#writer = writer
    this.#streams = streams
    this.#options = options
    this.#events = events
    this.#codec = options.codec ?? messagePack
    this.#pending = new Map()
    this.#cursor = new Cursor()
    this.#nextId = 1
    this.#lastPeerId = 0
    this.#unanswered = 0
    this.#closed = false
  }

  /** Requests of this side that are not settled. */
  get pending(): number {
    return this.#pending.size
  }

  /**
   * Sends a request; `settled` is called once, later, in the order in which frames arrive. Throws, and settles nothing:
   * LINK_FULL, BAD_REQUEST, FRAME_TOO_LARGE, and what a listener of a local stream's 'pipe' throws.
   */
  send(
    name: string,
    body: unknown,
    locals: Readonly<Record<string, Stream>>,
    timeoutMs: number,
    settled: Settled
  ): void {
    const { requestsMax, clock } = this.#options
    if (this.#writer.isFull)
      throw new ShoalError('LINK_FULL', { request: name, bytes: this.#writer.bufferedBytes })
    if (this.#pending.size >= requestsMax) throw new ShoalError('LINK_FULL', { request: name, requestsMax })
    const value = this.#codec.encode(body)
    const joined = this.#streams.join(locals)
    const id = this.#nextId
    try {
      // Before the request is written: nothing flows before the next turn, and a stream that cannot be joined fails it.
      for (const each of joined) this.#streams.start(each)
      this.#write(FRAME.REQUEST, id, name, joined, value)
    } catch (error) {
      this.#streams.unjoin(joined)
      throw error
    }
    this.#nextId++
    const timer = clock.after(timeoutMs, () => {
      this.#settle(id, new ShoalError('TIMEOUT', { request: name, peer: this.#options.peerId, timeoutMs }))
    })
    this.#pending.set(id, { name, timer, joined, settled })
  }

  /** Throws BAD_REQUEST, FRAME_TOO_LARGE. */
  fire(name: string, body: unknown): void {
    this.#write(FRAME.FIRE, null, name, null, this.#codec.encode(body))
  }

  /** A REQUEST, FIRE, REPLY or FAILURE. Throws FRAME_INVALID. */
  received(type: number, buffer: Buffer, start: number, end: number): void {
    const cursor = this.#cursor.set(buffer, start, end)
    if (type === FRAME.FIRE) {
      const name = cursor.string(NAME_BYTES_MAX)
      const bytes = cursor.rest()
      this.#events.fire(name, this.#codec.decode(bytes), bytes.length)
    } else if (type === FRAME.REQUEST) this.#receivedRequest(cursor)
    else if (type === FRAME.REPLY) this.#receivedReply(cursor)
    else {
      const id = this.#ownId(cursor)
      this.#settle(id, failureOf(decodeValue(cursor.rest())))
    }
  }

  /** Settles all that is pending with `reason`. What is answered from now on goes nowhere. */
  close(reason: ShoalError): void {
    this.#closed = true
    for (const id of [...this.#pending.keys()]) this.#settle(id, reason)
  }

  #receivedRequest(cursor: Cursor): void {
    const id = cursor.varint()
    if (id <= this.#lastPeerId) throw new ShoalError('FRAME_INVALID', { field: 'id', id })
    this.#lastPeerId = id
    const name = cursor.string(NAME_BYTES_MAX)
    const streams = this.#streams.accept(cursor)
    const bytes = cursor.rest()
    const body = this.#codec.decode(bytes)
    const isFull = this.#unanswered >= this.#options.requestsMax
    const reply = new LinkReply(this, id, streams ?? noStreams)
    this.#unanswered++
    if (streams === null || isFull) reply.fail(new ShoalError('LINK_FULL', { request: name }))
    else this.#events.request(name, body, reply, bytes.length)
  }

  #receivedReply(cursor: Cursor): void {
    const id = this.#ownId(cursor)
    const streams = this.#streams.accept(cursor)
    const body = this.#codec.decode(cursor.rest())
    const pending = this.#take(id)
    if (pending === undefined) {
      for (const stream of Object.values(streams ?? {})) stream.destroy()
    } else if (streams === null)
      this.#fail(pending, new ShoalError('LINK_FULL', { request: pending.name, streams: 'reply' }))
    else pending.settled(null, body, streams)
  }

  /** Answers request `id` of the peer. */
  reply(id: number, body: unknown, locals: Readonly<Record<string, Stream>>): void {
    this.#unanswered--
    let joined = noneJoined
    try {
      const value = this.#codec.encode(body)
      joined = this.#streams.join(locals)
      for (const each of joined) this.#streams.start(each)
      if (this.#closed) this.#streams.unjoin(joined)
      else this.#write(FRAME.REPLY, id, null, joined, value)
    } catch (error) {
      const failure = failureFrom(error)
      this.#streams.unjoin(joined)
      this.#streams.refuse(locals, failure)
      this.#writeFailure(id, failure)
    }
  }

  fail(id: number, error: ShoalError): void {
    this.#unanswered--
    this.#writeFailure(id, error)
  }

  #writeFailure(id: number, error: ShoalError): void {
    if (this.#closed) return
    let value: Uint8Array
    try {
      value = encodeValue({ code: error.code, fields: error.fields })
    } catch {
      value = encodeValue({ code: error.code, fields: {} })
    }
    if (value.length > INLINE_BYTES_MAX) value = encodeValue({ code: error.code, fields: {} })
    this.#write(FRAME.FAILURE, id, null, null, value)
  }

  #settle(id: number, error: ShoalError): void {
    const pending = this.#take(id)
    if (pending !== undefined) this.#fail(pending, error)
  }

  #fail(pending: Pending, error: ShoalError): void {
    for (const { remote } of pending.joined) remote.destroy(error)
    pending.settled(error, undefined, noStreams)
  }

  #take(id: number): Pending | undefined {
    const pending = this.#pending.get(id)
    if (pending === undefined) return undefined
    this.#pending.delete(id)
    pending.timer.cancel()
    return pending
  }

  #ownId(cursor: Cursor): number {
    const id = cursor.varint()
    if (id === 0 || id >= this.#nextId) throw new ShoalError('FRAME_INVALID', { field: 'id', id })
    return id
  }

  #write(
    type: number,
    id: number | null,
    name: string | null,
    joined: readonly Joined[] | null,
    value: Uint8Array
  ): void {
    const nameBytes = name === null ? 0 : Buffer.byteLength(name)
    if (nameBytes > NAME_BYTES_MAX)
      throw new ShoalError('BAD_REQUEST', { nameBytes, bytesMax: NAME_BYTES_MAX })
    const streamsBytes = joined === null ? 0 : this.#streams.descriptionBytesMax(joined)
    const fieldsBytesMax = 2 * VARINT_BYTES_MAX + nameBytes + streamsBytes
    const bytesMax = this.#options.frameBytesMax
    if (fieldsBytesMax + value.length > bytesMax)
      throw new ShoalError('FRAME_TOO_LARGE', { bytes: value.length, bytesMax })
    const isInline = value.length <= INLINE_BYTES_MAX
    let at = this.#writer.open(fieldsBytesMax + (isInline ? value.length : 0))
    const slab = this.#writer.slab
    if (id !== null) at = writeVarint(slab, at, id)
    if (name !== null) {
      at = writeVarint(slab, at, nameBytes)
      at += slab.write(name, at)
    }
    if (joined !== null) at = this.#streams.describe(joined, slab, at)
    if (isInline) {
      slab.set(value, at)
      this.#writer.seal(type, at + value.length, 0)
    } else {
      this.#writer.seal(type, at, value.length)
      this.#writer.append(value)
    }
  }
}

/** The answer to one request. Only the first `send` or `fail` counts. */
class LinkReply implements Reply {
  readonly streams: StreamsByName
  readonly #requests: Requests
  readonly #id: number
  #isSettled = false

  constructor(requests: Requests, id: number, streams: StreamsByName) {
    this.streams = streams
    this.#requests = requests
    this.#id = id
  }

  send(body: unknown, streams: Readonly<Record<string, Stream>> = {}): void {
    if (this.#isSettled) return
    this.#isSettled = true
    this.#requests.reply(this.#id, body, streams)
  }

  fail(error: ShoalError): void {
    if (this.#isSettled) return
    this.#isSettled = true
    this.#requests.fail(this.#id, error)
    for (const stream of Object.values(this.streams)) stream.destroy(error)
  }
}

/** What a handler or a stream of its reply has thrown, as it is told to the peer. */
function failureFrom(error: unknown): ShoalError {
  if (error instanceof ShoalError) return error
  return new ShoalError('HANDLER_FAILED', { error: (error as Error).message }, error)
}

/** The error that a FAILURE tells of. A code that this version does not know counts as HANDLER_FAILED. */
function failureOf(value: unknown): ShoalError {
  if (typeof value === 'object' && value !== null && 'code' in value && typeof value.code === 'string') {
    const fields = 'fields' in value && typeof value.fields === 'object' ? value.fields : {}
    const known = Object.hasOwn(ERRORS, value.code)
    try {
      if (known) return new ShoalError(value.code as ErrorCode, { ...fields })
      return new ShoalError('HANDLER_FAILED', { ...fields, code: value.code })
    } catch (error) {
      throw new ShoalError('FRAME_INVALID', { field: 'failure' }, error)
    }
  }
  throw new ShoalError('FRAME_INVALID', { field: 'failure' })
}
