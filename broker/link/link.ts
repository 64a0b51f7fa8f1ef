// One peer: everything between two nodes, multiplexed over one duplex. The link knows frames and their order;
// what they mean to a node is its handlers' business. The heir of tentacoli.
// The protocol is drawn in frame.ts.
import type { Duplex, Stream } from 'node:stream'
import { ShoalError } from '../errors.ts'
import type { Message, OriginName } from '../message.ts'
import type { Log } from '../runtime/log.ts'
import { Acks } from './acks.ts'
import { DataReceiver } from './data-receiver.ts'
import { DataSender } from './data-sender.ts'
import { FRAME } from './frame.ts'
import type { Identity, LinkHandlers } from './handlers.ts'
import type { Hello } from './handshake.ts'
import { Heartbeat } from './heartbeat.ts'
import type { LinkLimits, LinkParty } from './options.ts'
import { Requests } from './requests.ts'
import { Streams } from './streams.ts'
import type { Wire, WireOwner } from './wire.ts'
import { Writer } from './writer.ts'

export interface RequestOptions {
  timeoutMs?: number
  /** Given streams appear at the far side by their names: what is readable here is readable there. */
  streams?: Readonly<Record<string, Stream>>
}

export interface Response {
  body: unknown
  streams: Readonly<Record<string, Duplex>>
}

const noStreams: Readonly<Record<string, Stream>> = Object.freeze({})

/**
 * An open link. Whatever is sent through it arrives in the order of the calls, except acknowledgements, which leave at the
 * end of the tick. All that is sent in one tick leaves in one write. Once it is closed, sending does nothing, and
 * requests fail with PEER_GONE.
 */
export class Link implements WireOwner {
  readonly peer: Identity
  /** True at the side that dialled. */
  readonly initiator: boolean
  /** Messages of QoS 0 and `fire`s that were dropped because too many bytes waited. */
  dropped: number
  readonly #handlers: LinkHandlers
  readonly #limits: LinkLimits
  readonly #log: Log
  readonly #wire: Wire
  readonly #writer: Writer
  readonly #sender: DataSender
  readonly #receiver: DataReceiver
  readonly #acks: Acks
  readonly #streams: Streams
  readonly #requests: Requests
  readonly #heartbeat: Heartbeat
  readonly #party: LinkParty
  readonly #takePublishAck: (origin: OriginName, first: number, last: number, reason: number) => void
  #isCongested: boolean
  #isClosing: boolean
  #isClosed: boolean
  #closing: Promise<void> | null
  #resolveClosing: (() => void) | null

  /** Takes over a wire whose handshake is done. Use `createLink`. */
  constructor(wire: Wire, theirs: Hello, initiator: boolean, party: LinkParty, limits: LinkLimits) {
    const { clock, handlers, self } = party
    this.peer = { id: theirs.id, instance: theirs.instance }
    this.initiator = initiator
    this.dropped = 0
    this.#handlers = handlers
    this.#limits = limits
    this.#log = party.log
    this.#party = party
    this.#wire = wire
    this.#isCongested = false
    this.#isClosing = false
    this.#isClosed = false
    this.#closing = null
    this.#resolveClosing = null

    const frameBytesMax = Math.min(limits.frameBytesMax, theirs.frameBytesMax)
    const ours = handlers.origin(self.instance)
    const peers = handlers.origin(theirs.instance)
    this.#writer = new Writer(wire.duplex, clock, limits.bufferBytesMax, {
      flushing: () => this.#acks.write(),
      moved: () => this.#moved()
    })
    this.#sender = new DataSender(
      this.#writer,
      ours,
      peers,
      frameBytesMax,
      Math.min(limits.topicsMax, theirs.topicsMax)
    )
    this.#receiver = new DataReceiver(handlers, ours, peers, limits.topicsMax)
    this.#acks = new Acks(this.#sender)
    this.#streams = new Streams(this.#writer, {
      initiator,
      frameBytesMax,
      streamsMax: limits.streamsMax,
      room: { bytes: limits.streamBytes, objects: limits.streamObjects },
      given: { bytes: theirs.streamBytes, objects: theirs.streamObjects }
    })
    this.#requests = new Requests(
      this.#writer,
      this.#streams,
      { peerId: theirs.id, requestsMax: limits.requestsMax, frameBytesMax, clock },
      {
        request: (name, body, reply) => handlers.request(this, name, body, reply),
        fire: (name, body) => handlers.fire(this, name, body)
      }
    )
    this.#takePublishAck = (origin, first, last, reason): void => {
      handlers.publishAck(this, origin, first, last, reason)
    }
    this.#heartbeat = new Heartbeat(clock, limits, wire.reader, this.#writer, silentMs => {
      this.destroy(new ShoalError('PEER_GONE', { peer: this.peer.id, silentMs }))
    })
    wire.handTo(this, limits.frameBytesMax)
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  /** Bytes that wait to be written. */
  get bufferedBytes(): number {
    return this.#isClosed ? 0 : this.#writer.bufferedBytes
  }

  get bytesIn(): number {
    return this.#wire.reader.bytesIn
  }

  get bytesOut(): number {
    return this.#writer.bytesOut
  }

  get framesIn(): number {
    return this.#wire.reader.framesIn
  }

  get framesOut(): number {
    return this.#writer.framesOut
  }

  /** Requests of this side that wait for a reply. */
  get pendingRequests(): number {
    return this.#requests.pending
  }

  get openStreams(): number {
    return this.#streams.size
  }

  /** Rejects with what the far side failed with, or TIMEOUT, PEER_GONE, LINK_FULL, BAD_REQUEST, FRAME_TOO_LARGE. */
  request(name: string, body: unknown, options: RequestOptions = {}): Promise<Response> {
    return new Promise((resolve, reject) => {
      if (this.#isSilent) throw this.#gone()
      const timeoutMs = options.timeoutMs ?? this.#limits.requestTimeoutMs
      this.#requests.send(name, body, options.streams ?? noStreams, timeoutMs, (error, reply, streams) => {
        if (error === null) resolve({ body: reply, streams })
        else reject(error)
      })
    })
  }

  /**
   * `request` for those who mind the order: `done` is called as the reply is read, before the frames behind it, and never
   * from within this call. A reply's streams are destroyed.
   */
  requestCallback(
    name: string,
    body: unknown,
    timeoutMs: number,
    done: (error: ShoalError | null, body: unknown) => void
  ): void {
    try {
      if (this.#isSilent) throw this.#gone()
      this.#requests.send(name, body, noStreams, timeoutMs, (error, reply, streams) => {
        for (const stream of Object.values(streams)) stream.destroy()
        done(error, reply)
      })
    } catch (error) {
      if (!(error instanceof ShoalError)) throw error
      this.#party.clock.defer(() => done(error, undefined))
    }
  }

  /** Best effort: dropped when the link is closed, and when too much waits. Throws BAD_REQUEST, FRAME_TOO_LARGE. */
  fire(name: string, body: unknown): void {
    if (this.#isSilent) return
    if (this.#writer.isFull) this.dropped++
    else this.#requests.fire(name, body)
  }

  /** A message or a run. Throws FRAME_TOO_LARGE; so does `deliver`. */
  publish(message: Message): void {
    if (this.#isSilent) return
    if (message.qos === 0 && this.#writer.isFull) this.dropped += message.count
    else this.#sender.publish(message)
  }

  deliver(message: Message): void {
    if (this.#isSilent) return
    if (message.qos === 0 && this.#writer.isFull) this.dropped += message.count
    else this.#sender.deliver(message)
  }

  barrier(): void {
    if (!this.#isSilent) this.#writer.empty(FRAME.BARRIER)
  }

  /** Waits for the end of the tick, so that those that touch become one. */
  publishAck(origin: OriginName, first: number, last: number, reason: number): void {
    if (this.#isSilent) return
    this.#acks.published(origin, first, last, reason)
    this.#writer.schedule()
  }

  /** Waits for the end of the tick; only the last is written. */
  deliverAck(count: number): void {
    if (this.#isSilent) return
    this.#acks.delivered(count)
    this.#writer.schedule()
  }

  /**
   * Lets all leave that was sent, then the link: pending requests fail with PEER_GONE, `handlers.closed` is called with
   * null on both sides. Settles when that is done, after `closeTimeoutMs` at the latest.
   */
  close(): Promise<void> {
    if (this.#isClosed) return Promise.resolve()
    if (this.#closing !== null) return this.#closing
    this.#closing = new Promise(resolve => {
      this.#resolveClosing = resolve
    })
    this.#sayGoodbye()
    this.#isClosing = true
    const deadline = this.#party.clock.after(this.#limits.closeTimeoutMs, () => this.#wire.duplex.destroy())
    this.#wire.duplex.once('close', () => deadline.cancel())
    return this.#closing
  }

  /** At once; what waits to be written is lost. `error` is the reason that handlers and requests are given. */
  destroy(error?: ShoalError): void {
    if (this.#isClosed) return
    this.#wire.destroy()
    this.#finish(error ?? null)
  }

  frame(type: number, buffer: Buffer, start: number, end: number): void {
    switch (type) {
      case FRAME.PUBLISH:
      case FRAME.PUBLISH_RUN:
        this.#handlers.publish(this, this.#receiver.message(type, buffer, start, end))
        break
      case FRAME.DELIVER:
      case FRAME.DELIVER_RUN:
        this.#handlers.deliver(this, this.#receiver.message(type, buffer, start, end))
        break
      case FRAME.PUBLISH_ACK:
        this.#receiver.publishAck(buffer, start, end, this.#takePublishAck)
        break
      case FRAME.DELIVER_ACK:
        this.#handlers.deliverAck(this, this.#receiver.deliverAck(buffer, start, end))
        break
      case FRAME.DEFINE_TOPIC:
        this.#receiver.defineTopic(buffer, start, end)
        break
      case FRAME.DEFINE_ORIGIN:
        this.#receiver.defineOrigin(buffer, start, end)
        break
      case FRAME.REQUEST:
      case FRAME.FIRE:
      case FRAME.REPLY:
      case FRAME.FAILURE:
        this.#requests.received(type, buffer, start, end)
        break
      case FRAME.STREAM_DATA:
      case FRAME.STREAM_END:
      case FRAME.STREAM_ABORT:
      case FRAME.STREAM_CREDIT:
        this.#streams.received(type, buffer, start, end)
        break
      default:
        this.#emptyFrame(type, end - start)
    }
  }

  ended(): void {
    if (this.#isClosing) {
      this.#wire.destroy()
      this.#finish(null)
    } else this.broken(new ShoalError('PEER_GONE', { peer: this.peer.id, connection: 'ended' }))
  }

  broken(reason: ShoalError): void {
    if (this.#isClosed) return
    this.#wire.destroy()
    this.#finish(this.#isClosing ? null : reason)
  }

  #emptyFrame(type: number, bytes: number): void {
    if (bytes !== 0) throw new ShoalError('FRAME_INVALID', { type, bytes })
    if (type === FRAME.BARRIER) this.#handlers.barrier(this)
    else if (type === FRAME.GOODBYE) this.#takeGoodbye()
    else if (type !== FRAME.HEARTBEAT) throw new ShoalError('FRAME_INVALID', { type })
  }

  /** The peer has said all it had to say, and reads on until we end too. */
  #takeGoodbye(): void {
    const { duplex } = this.#wire
    this.#wire.detach()
    if (!this.#isClosing) this.#sayGoodbye()
    const deadline = this.#party.clock.after(this.#limits.closeTimeoutMs, () => duplex.destroy())
    duplex.once('close', () => deadline.cancel())
    duplex.once('end', () => duplex.destroy())
    this.#finish(null)
  }

  #sayGoodbye(): void {
    this.#acks.write()
    this.#writer.empty(FRAME.GOODBYE)
    this.#writer.flush()
    this.#writer.close()
    this.#wire.duplex.end()
  }

  #moved(): void {
    if (this.#isSilent) return
    if (this.#writer.hasOverflowed) {
      this.destroy(new ShoalError('LINK_FULL', { peer: this.peer.id, bytesMax: this.#limits.bufferBytesMax }))
      return
    }
    const { bufferedBytes } = this.#writer
    const { bufferBytesMax } = this.#limits
    if (!this.#isCongested && bufferedBytes > bufferBytesMax / 2) {
      this.#isCongested = true
      this.#handlers.congested(this, true)
    } else if (this.#isCongested && bufferedBytes <= bufferBytesMax / 8) {
      this.#isCongested = false
      this.#handlers.congested(this, false)
    }
  }

  #finish(reason: ShoalError | null): void {
    this.#isClosed = true
    this.#heartbeat.stop()
    this.#writer.close()
    const fate = reason ?? this.#gone()
    this.#requests.close(fate)
    this.#streams.close(fate)
    this.#log.info(
      { peer: this.peer.id, instance: this.peer.instance, reason: reason?.message ?? null },
      'link closed'
    )
    this.#handlers.closed(this, reason)
    this.#resolveClosing?.()
  }

  /** Nothing may be sent any more. */
  get #isSilent(): boolean {
    return this.#isClosed || this.#isClosing
  }

  #gone(): ShoalError {
    return new ShoalError('PEER_GONE', { peer: this.peer.id })
  }
}
