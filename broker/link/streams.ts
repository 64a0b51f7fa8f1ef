// The streams of a link that are open, by number; how a local stream is joined to one that crosses the link;
// and the frames between them.
import { type Duplex, finished, type Readable, type Stream, type Writable } from 'node:stream'
import { ShoalError } from '../errors.ts'
import { copyBytes } from './copy.ts'
import { FRAME, NAME_BYTES_MAX } from './frame.ts'
import { contentOf, destroyLocal, halvesOf } from './local-stream.ts'
import { LinkStream, type StreamCredits, type StreamFrames, type StreamShape } from './stream.ts'
import { messagePack, type ValueCodec } from './value.ts'
import { Cursor, VARINT_BYTES_MAX, writeVarint } from './varint.ts'
import { INLINE_BYTES_MAX, type Writer } from './writer.ts'

export interface StreamsOptions {
  /** Dialled: numbers its streams odd. */
  initiator: boolean
  /** Open streams in both directions together. */
  streamsMax: number
  /** Body of a frame that the peer accepts. */
  frameBytesMax: number
  /** Credits that we give at first, and those that the peer gives. */
  room: StreamCredits
  given: StreamCredits
  /** How objects cross; MessagePack by default. */
  codec?: ValueCodec
  /** Of a transform that no one reads here the far side gets both halves, unless only the readable one is to be offered. */
  transforms?: 'both' | 'readable'
}

/** A stream that was given to a request or a reply, and its end of the link. */
export interface Joined {
  local: Stream
  remote: LinkStream
}

const REASON_CHARACTERS_MAX = 200

const SENDER_WRITES = 1
const RECEIVER_WRITES = 2
const SENDER_OBJECTS = 4
const RECEIVER_OBJECTS = 8

export class Streams implements StreamFrames {
  readonly #writer: Writer
  readonly #options: StreamsOptions
  readonly #codec: ValueCodec
  readonly #open: Map<number, LinkStream>
  readonly #cursor: Cursor
  #nextId: number
  /** The highest number the peer has used. */
  #lastPeerId: number

  constructor(writer: Writer, options: StreamsOptions) {
    this.#writer = writer
    this.#options = options
    this.#codec = options.codec ?? messagePack
    this.#open = new Map()
    this.#cursor = new Cursor()
    this.#nextId = options.initiator ? 1 : 2
    this.#lastPeerId = 0
  }

  get size(): number {
    return this.#open.size
  }

  /**
   * Opens a stream for each local one; no frame yet. They are to be described to the peer, then `start`ed.
   * Throws BAD_REQUEST for what is no open stream, LINK_FULL over `streamsMax`.
   */
  join(locals: Readonly<Record<string, Stream>>): Joined[] {
    const entries = Object.entries(locals)
    if (this.#open.size + entries.length > this.#options.streamsMax) {
      throw new ShoalError('LINK_FULL', { streamsMax: this.#options.streamsMax })
    }
    const { transforms = 'both' } = this.#options
    const shapes = entries.map(([name, local]) => halvesOf(name, local, transforms))
    return entries.map(([, local], i) => {
      const shape = { ...shapes[i]!, id: this.#nextId }
      this.#nextId += 2
      return { local, remote: this.#add(shape) }
    })
  }

  /**
   * Joins the two, from the next turn on. Each end takes the other with it when it breaks, and tells when it reads no more.
   * Throws what a listener of the local stream's 'pipe' throws.
   */
  start({ local, remote }: Joined): void {
    const { writes, reads } = remote.shape
    // Each half for itself: another may end the one while the other goes on.
    if (writes !== null) {
      finished(local as Duplex, { writable: false }, error => {
        if (error) remote.destroy(error)
        // One that is destroyed when all of it has been read does not emit 'end', for which the pipe waits.
        else if (!remote.writableEnded) remote.end()
      })
    }
    if (reads !== null) {
      finished(local as Duplex, { readable: false }, error => {
        if (error) remote.destroy(error)
        else remote.stopReading()
      })
    }
    finished(remote, error => {
      if (error) destroyLocal(local, error)
    })
    if (writes !== null) (local as Readable).pipe(remote)
    if (reads !== null) remote.pipe(local as Writable)
  }

  /** Takes back what `join` opened, when it could not be described to the peer. */
  unjoin(joined: readonly Joined[]): void {
    for (const { local, remote } of joined) {
      remote.aborted(new ShoalError('STREAM_ABORTED', { stream: remote.shape.name }))
      destroyLocal(local, new ShoalError('STREAM_ABORTED', { stream: remote.shape.name }))
    }
  }

  /** Breaks streams that were given for a reply that cannot be sent. */
  refuse(locals: Readonly<Record<string, Stream>>, error: ShoalError): void {
    for (const local of Object.values(locals)) destroyLocal(local, error)
  }

  /** Bytes of the description, at most. */
  descriptionBytesMax(joined: readonly Joined[]): number {
    let bytes = VARINT_BYTES_MAX
    for (const { remote } of joined) bytes += 2 * VARINT_BYTES_MAX + 1 + Buffer.byteLength(remote.shape.name)
    return bytes
  }

  describe(joined: readonly Joined[], slab: Buffer, start: number): number {
    let at = writeVarint(slab, start, joined.length)
    for (const { remote } of joined) {
      const { id, name, writes, reads } = remote.shape
      at = writeVarint(slab, at, id)
      slab[at++] =
        (writes === null ? 0 : SENDER_WRITES) |
        (reads === null ? 0 : RECEIVER_WRITES) |
        (writes === 'objects' ? SENDER_OBJECTS : 0) |
        (reads === 'objects' ? RECEIVER_OBJECTS : 0)
      at = writeVarint(slab, at, Buffer.byteLength(name))
      at += slab.write(name, at)
    }
    return at
  }

  /**
   * The streams that a description names, opened; null if there were more than `streamsMax` (they have been aborted).
   * Throws FRAME_INVALID.
   */
  accept(cursor: Cursor): Record<string, Duplex> | null {
    const count = cursor.varint()
    if (count === 0) return {}
    const streams: Record<string, Duplex> = Object.create(null)
    let isFull = false
    for (let i = 0; i < count; i++) {
      const shape = this.#described(cursor)
      if (streams[shape.name] !== undefined)
        throw new ShoalError('FRAME_INVALID', { stream: shape.name, twice: true })
      if (this.#open.size >= this.#options.streamsMax) {
        isFull = true
        this.abort(shape.id, 'too many streams')
      } else streams[shape.name] = this.#add(shape)
    }
    if (!isFull) return streams
    for (const stream of Object.values(streams)) stream.destroy()
    return null
  }

  /** STREAM_*: throws FRAME_INVALID. What comes late, for a stream that is over here, is dropped. */
  received(type: number, buffer: Buffer, start: number, end: number): void {
    const cursor = this.#cursor.set(buffer, start, end)
    const id = cursor.varint()
    const stream = this.#open.get(id)
    if (stream === undefined) {
      const isOurs = id % 2 === this.#nextId % 2
      if (isOurs ? id < this.#nextId : id <= this.#lastPeerId) return
      throw new ShoalError('FRAME_INVALID', { field: 'stream', id })
    }
    if (type === FRAME.STREAM_DATA) {
      const body = cursor.rest()
      if (stream.shape.reads === 'objects') stream.receivedObject(this.#codec.decode(body))
      else stream.receivedBytes(body)
    } else if (type === FRAME.STREAM_CREDIT) {
      const count = cursor.varint()
      const total = count === 0 ? cursor.varint() : 0
      cursor.finish()
      if (count === 0) stream.receivedStop(total)
      else stream.receivedCredit(count)
    } else if (type === FRAME.STREAM_END) {
      cursor.finish()
      stream.receivedEnd()
    } else {
      const reason = cursor.string(REASON_CHARACTERS_MAX * 4)
      cursor.finish()
      stream.aborted(new ShoalError('STREAM_ABORTED', { stream: stream.shape.name, reason }))
    }
  }

  /** The link is closed: all streams that are open break. */
  close(reason: ShoalError): void {
    for (const stream of [...this.#open.values()]) {
      stream.aborted(
        new ShoalError('STREAM_ABORTED', { stream: stream.shape.name, reason: reason.message }, reason)
      )
    }
  }

  /** Copies: whoever has written them may use their memory again once the write has called back, which it does at once. */
  data(id: number, bytes: Uint8Array, start: number, end: number): void {
    const writer = this.#writer
    let at = writer.open(VARINT_BYTES_MAX + end - start)
    at = writeVarint(writer.slab, at, id)
    at = copyBytes(bytes, start, end, writer.slab, at)
    writer.seal(FRAME.STREAM_DATA, at, 0)
  }

  object(id: number, value: unknown): void {
    const bytes = this.#codec.encode(value)
    if (VARINT_BYTES_MAX + bytes.length > this.#options.frameBytesMax) {
      throw new ShoalError('FRAME_TOO_LARGE', { bytes: bytes.length, bytesMax: this.#options.frameBytesMax })
    }
    if (bytes.length <= INLINE_BYTES_MAX) return this.data(id, bytes, 0, bytes.length)
    const writer = this.#writer
    const at = writer.open(VARINT_BYTES_MAX)
    writer.seal(FRAME.STREAM_DATA, writeVarint(writer.slab, at, id), bytes.length)
    writer.append(bytes)
  }

  end(id: number): void {
    const at = this.#writer.open(VARINT_BYTES_MAX)
    this.#writer.seal(FRAME.STREAM_END, writeVarint(this.#writer.slab, at, id), 0)
  }

  abort(id: number, reason: string): void {
    const text = Buffer.from(reason.slice(0, REASON_CHARACTERS_MAX))
    let at = this.#writer.open(2 * VARINT_BYTES_MAX + text.length)
    at = writeVarint(this.#writer.slab, at, id)
    at = writeVarint(this.#writer.slab, at, text.length)
    this.#writer.slab.set(text, at)
    this.#writer.seal(FRAME.STREAM_ABORT, at + text.length, 0)
  }

  credit(id: number, count: number): void {
    let at = this.#writer.open(2 * VARINT_BYTES_MAX)
    at = writeVarint(this.#writer.slab, at, id)
    this.#writer.seal(FRAME.STREAM_CREDIT, writeVarint(this.#writer.slab, at, count), 0)
  }

  stop(id: number, total: number): void {
    let at = this.#writer.open(3 * VARINT_BYTES_MAX)
    at = writeVarint(this.#writer.slab, at, id)
    at = writeVarint(this.#writer.slab, at, 0)
    this.#writer.seal(FRAME.STREAM_CREDIT, writeVarint(this.#writer.slab, at, total), 0)
  }

  forget(id: number): void {
    this.#open.delete(id)
  }

  #add(shape: StreamShape): LinkStream {
    const stream = new LinkStream(shape, this, this.#options.given, this.#options.room)
    this.#open.set(shape.id, stream)
    return stream
  }

  /** One stream of a description, as it looks from here. */
  #described(cursor: Cursor): StreamShape {
    const id = cursor.varint()
    const kind = cursor.byte()
    const name = cursor.string(NAME_BYTES_MAX)
    const isPeers = id % 2 !== this.#nextId % 2
    if (!isPeers || id <= this.#lastPeerId) throw new ShoalError('FRAME_INVALID', { field: 'stream', id })
    if (kind > 15 || (kind & (SENDER_WRITES | RECEIVER_WRITES)) === 0) {
      throw new ShoalError('FRAME_INVALID', { field: 'kind', kind })
    }
    this.#lastPeerId = id
    return {
      id,
      name,
      reads: contentOf((kind & SENDER_WRITES) !== 0, (kind & SENDER_OBJECTS) !== 0),
      writes: contentOf((kind & RECEIVER_WRITES) !== 0, (kind & RECEIVER_OBJECTS) !== 0)
    }
  }
}
