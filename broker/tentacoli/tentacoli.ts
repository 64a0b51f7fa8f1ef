// Requests, `fire`s and streams in both directions over any binary stream: an instance is a Duplex that is piped into it
// and back. The link's requests and streams without its ring, its data plane and its heartbeat; the connection is the
// user's to open, to keep alive and to close.
// Source: tentacoli 1.0 (npm), whose programs run on this by changing the import.
//
//      request() ──▶ Requests ──▶ Writer ──▶ Outlet ──▶ push ═══ read side ═══▶  socket
//      'request' ◀── Inbox ◀── Requests, Streams ◀── Reader ◀══ write side ════  socket
import { Duplex } from 'node:stream'
import { ShoalError } from '../errors.ts'
import { FRAME, HELLO_BYTES_MAX } from '../link/frame.ts'
import type { Reply as LinkReply } from '../link/handlers.ts'
import { LINK_LIMITS } from '../link/options.ts'
import { Reader } from '../link/reader.ts'
import { Requests } from '../link/requests.ts'
import { Streams } from '../link/streams.ts'
import type { ValueCodec } from '../link/value.ts'
import { Writer } from '../link/writer.ts'
import type { Clock } from '../runtime/clock.ts'
import { nodeRuntime } from '../runtime/node.ts'
import { EarlyCalls } from './early-calls.ts'
import { decodeHello, encodeHello, type Hello, isOdd, NONCE_BYTES } from './hello.ts'
import { type Arrived, Inbox } from './inbox.ts'
import { destroyStreams, joined, split } from './message.ts'
import { codecOf, type Limits, limitsOf, type TentacoliOptions } from './options.ts'
import { Outlet } from './outlet.ts'
import { fromWire, toWire } from './remote-error.ts'

/** A message as it arrives. `streams` is there when some were sent, and never anything else than streams. */
export interface Received {
  readonly streams: Readonly<Record<string, Duplex>>
  readonly [name: string]: unknown
}

/** Answers a request; only the first call counts. The values of `streams` in `message` cross as streams. */
export type Reply = (error?: Error | null, message?: unknown) => void

interface Open {
  readonly requests: Requests
  readonly streams: Streams
}

type Done<Answer> = (error: Error | null, answer: Answer) => void

/** A message that wants an answer, and one that wants none but brings streams. */
const REQUEST = ''
const FIRE = 'fire'

const noStreams: Readonly<Record<string, Duplex>> = Object.freeze({})

const machine = nodeRuntime()

/** Creates an instance, to be piped into a binary stream and back. Throws OPTION_INVALID. */
export function tentacoli<Request = Received>(options: TentacoliOptions = {}): Tentacoli<Request> {
  return new Tentacoli<Request>(options)
}

/**
 * Events besides a Duplex's: `'request'` (message, reply) for each message of the other side, without `reply` having any
 * effect if it was fired; `'responseError'` (error) when a handler here has answered with an error.
 * When the connection ends, what is pending fails with PEER_GONE, and open streams break on both sides.
 */
export class Tentacoli<Request = Received> extends Duplex {
  readonly #limits: Limits
  readonly #codec: ValueCodec
  readonly #clock: Clock
  readonly #hello: Hello
  readonly #outlet: Outlet
  readonly #writer: Writer
  readonly #reader: Reader
  readonly #inbox: Inbox
  readonly #early: EarlyCalls
  /** Null until the other side's hello is here. */
  #open: Open | null = null
  #isOver = false

  constructor(options: TentacoliOptions = {}) {
    super()
    const { clock, random } = options.runtime ?? machine
    const limits = limitsOf(options)
    this.#limits = limits
    this.#codec = codecOf(options.codec)
    this.#clock = clock
    this.#outlet = new Outlet(this)
    this.#writer = new Writer(this.#outlet, clock, limits.bufferBytesMax, {
      flushing() {},
      moved: () => {
        if (this.#writer.hasOverflowed)
          this.destroy(new ShoalError('LINK_FULL', { bytesMax: limits.bufferBytesMax }))
      }
    })
    this.#reader = new Reader(this, HELLO_BYTES_MAX)
    this.#inbox = new Inbox(limits, arrived => this.#handle(arrived))
    this.#early = new EarlyCalls(clock, limits)
    this.#hello = {
      nonce: random.bytes(NONCE_BYTES),
      frameBytesMax: limits.messageBytesMax,
      streamBytes: LINK_LIMITS.streamBytes,
      streamObjects: LINK_LIMITS.streamObjects
    }
    this.#writer.frame(FRAME.HELLO, encodeHello(this.#hello))
    this.#writer.flush()
  }

  /** `fire`s of the other side that were dropped because too much waited to be handled. */
  get dropped(): number {
    return this.#inbox.dropped
  }

  /** Requests of this side that are not answered yet. */
  get inflight(): number {
    return (this.#open?.requests.pending ?? 0) + this.#early.size
  }

  /**
   * Asks the other side. Streams in `message.streams` cross: what is readable here is readable there. Calls before the
   * connection stands wait for it. Fails with what the handler answered, or TIMEOUT, PEER_GONE, LINK_FULL, BAD_REQUEST,
   * FRAME_TOO_LARGE, HANDLER_MISSING; the streams that were given break then.
   */
  request<Answer = Received>(message: unknown): Promise<Answer>
  request<Answer = Received>(message: unknown, done: Done<Answer>): this
  request<Answer>(message: unknown, done?: Done<Answer>): Promise<Answer> | this {
    if (done !== undefined) {
      this.#ask(message, done as Done<unknown>)
      return this
    }
    return new Promise<Answer>((resolve, reject) => {
      this.#ask(message, (error, answer) => {
        if (error === null) resolve(answer as Answer)
        else reject(error)
      })
    })
  }

  /**
   * Tells the other side, and waits for no answer. `done` is called when the message has been handed to the connection, or with
   * PEER_GONE, LINK_FULL, BAD_REQUEST or FRAME_TOO_LARGE.
   */
  fire(message: unknown, done: (error: Error | null) => void = () => {}): this {
    this.#whenOpen(done, open => {
      const { body, streams } = split(message)
      if (this.#writer.isFull) throw new ShoalError('LINK_FULL', { bytes: this.#writer.bufferedBytes })
      // A FIRE has no room for streams; a request that is answered as it comes has.
      if (Object.keys(streams).length === 0) open.requests.fire(REQUEST, body)
      else open.requests.send(FIRE, body, streams, this.#limits.timeoutMs, () => {})
      this.#clock.defer(() => done(null))
    })
    return this
  }

  override on(event: 'request', listener: (message: Request, reply: Reply) => void): this
  override on(event: 'error' | 'responseError', listener: (error: Error) => void): this
  override on(event: 'data', listener: (chunk: Buffer) => void): this
  override on(event: string | symbol, listener: (...args: never[]) => void): this
  override on(event: string | symbol, listener: (...args: never[]) => void): this {
    return super.on(event, listener as (...args: unknown[]) => void)
  }

  /** An instance that is destroyed has no 'end' to tell by: it ends what it is piped into, so that the other side learns. */
  override pipe<T extends NodeJS.WritableStream>(destination: T, options?: { end?: boolean }): T {
    if (options?.end !== false) {
      const end = (): void => void destination.end()
      this.once('close', end)
      destination.on('unpipe', source => {
        if ((source as unknown) === this) this.off('close', end)
      })
    }
    return super.pipe(destination, options)
  }

  /** A frame of the other side; called by the reader. */
  frame(type: number, buffer: Buffer, start: number, end: number): void {
    if (this.#open === null) return this.#meet(type, buffer.subarray(start, end))
    if (type >= FRAME.REQUEST && type <= FRAME.FAILURE) this.#open.requests.received(type, buffer, start, end)
    else if (type >= FRAME.STREAM_DATA && type <= FRAME.STREAM_CREDIT) {
      this.#open.streams.received(type, buffer, start, end)
    } else throw new ShoalError('FRAME_INVALID', { type })
  }

  override _read(): void {
    this.#outlet.wanted()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    if (this.#isOver) return done()
    try {
      this.#reader.push(chunk)
    } catch (error) {
      return done(error as Error)
    }
    done()
  }

  /** The other side has ended, or this one is to end: after what has been sent. */
  override _final(done: (error?: Error | null) => void): void {
    this.#writer.flush()
    this.#finish(new ShoalError('PEER_GONE', { connection: 'ended' }))
    this.#outlet.end()
    done()
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#finish(new ShoalError('PEER_GONE', { connection: error?.message ?? 'closed' }, error ?? undefined))
    this.#outlet.destroy()
    done(error)
  }

  #meet(type: number, body: Buffer): void {
    if (type !== FRAME.HELLO) throw new ShoalError('FRAME_INVALID', { type, in: 'hello' })
    const theirs = decodeHello(body)
    const { requestsMax, streamsMax, messageBytesMax } = this.#limits
    const frameBytesMax = Math.min(messageBytesMax, theirs.frameBytesMax)
    const streams = new Streams(this.#writer, {
      initiator: isOdd(this.#hello.nonce, theirs.nonce),
      frameBytesMax,
      streamsMax,
      room: { bytes: this.#hello.streamBytes, objects: this.#hello.streamObjects },
      given: { bytes: theirs.streamBytes, objects: theirs.streamObjects },
      codec: this.#codec,
      transforms: 'readable'
    })
    const requests = new Requests(
      this.#writer,
      streams,
      { peerId: 'the other side', requestsMax, frameBytesMax, clock: this.#clock, codec: this.#codec },
      {
        request: (name, body, reply, bytes) => this.#arrived(name, body, reply, bytes),
        fire: (_name, body, bytes) => this.#inbox.add({ body, streams: noStreams, reply: null, bytes })
      }
    )
    this.#reader.frameBytesMax = messageBytesMax
    this.#open = { requests, streams }
    this.#early.open()
  }

  /** `call` is made now, or when the other side has said hello; what it throws, and what keeps it away, goes to `fail`, later. */
  #whenOpen(fail: (error: Error) => void, call: (open: Open) => void): void {
    if (this.#open === null && !this.#isOver) {
      this.#early.add(() => this.#whenOpen(fail, call), fail)
      return
    }
    try {
      if (this.#isOver) throw new ShoalError('PEER_GONE', { connection: 'closed' })
      call(this.#open!)
    } catch (error) {
      this.#clock.defer(() => fail(error as Error))
    }
  }

  #ask(message: unknown, done: Done<unknown>): void {
    this.#whenOpen(
      error => done(error, undefined),
      open => {
        const { body, streams } = split(message)
        open.requests.send(REQUEST, body, streams, this.#limits.timeoutMs, (error, answer, arrived) => {
          if (error !== null) done(fromWire(error), undefined)
          else done(null, joined(answer, arrived))
        })
      }
    )
  }

  #arrived(name: string, body: unknown, reply: LinkReply, bytes: number): void {
    const { streams } = reply
    if (name === FIRE) reply.send(null)
    this.#inbox.add({ body, streams, reply: name === FIRE ? null : reply, bytes })
  }

  #handle({ body, streams, reply }: Arrived): void {
    let isAnswered = false
    const answer: Reply = (error, message) => {
      if (isAnswered) return
      isAnswered = true
      if (reply === null) return destroyStreams(message)
      if (error) {
        this.emit('responseError', error)
        reply.fail(toWire(error))
      } else {
        const { body, streams } = split(message)
        reply.send(body, streams)
      }
      this.#inbox.finished()
    }
    if (this.listenerCount('request') === 0) {
      destroyStreams({ streams })
      answer(new ShoalError('HANDLER_MISSING'))
      return
    }
    try {
      this.emit('request', joined(body, streams), answer)
    } catch (error) {
      // The frames behind this one must still be read: whoever listens for uncaught exceptions may go on.
      answer(error as Error)
      queueMicrotask(() => {
        throw error
      })
    }
  }

  #finish(reason: ShoalError): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#inbox.clear()
    this.#reader.close()
    this.#early.close(reason)
    this.#open?.requests.close(reason)
    this.#open?.streams.close(reason)
    this.#writer.close()
  }
}
