// One end of a stream that crosses a link: an ordinary Node stream, whose other end is the LinkStream of the
// same number on the far side. What is written here is read there, within the far side's credit; end, destroy
// and error cross as well. A stream of one direction has its other half switched off.
import { Duplex, type DuplexOptions } from 'node:stream'
import { ShoalError } from '../errors.ts'
import { ReceiveWindow, SendWindow } from './window.ts'

/** What one direction carries; null: it does not exist. */
export type Content = 'bytes' | 'objects' | null

/** How a stream looks from one end. */
export interface StreamShape {
  readonly id: number
  readonly name: string
  /** What is written at this end. */
  readonly writes: Content
  /** What is read at this end. */
  readonly reads: Content
}

/** Credits that each side starts with, for bytes and for objects. */
export interface StreamCredits {
  readonly bytes: number
  readonly objects: number
}

/** What a stream needs of its link. */
export interface StreamFrames {
  data(id: number, bytes: Uint8Array, start: number, end: number): void
  /** Throws BAD_REQUEST, FRAME_TOO_LARGE. */
  object(id: number, value: unknown): void
  end(id: number): void
  abort(id: number, reason: string): void
  /** 0: no more is read. */
  credit(id: number, count: number): void
  /** No more is read than the `total` that has come so far. */
  stop(id: number, total: number): void
  /** Neither direction will be heard of again. */
  forget(id: number): void
}

/** Bytes that one frame carries at most, so that streams take turns. */
const DATA_BYTES_MAX = 16_384

type Done = (error?: Error | null) => void

/** A stream may be destroyed by the far side before anyone listens: that must not end the process. */
function ignore(): void {}

/** A half that does not exist is off from the start: it counts as ended. */
function duplexOptions(shape: StreamShape, readRoom: number): DuplexOptions {
  const halves = { readable: shape.reads !== null, writable: shape.writes !== null }
  return {
    ...halves,
    readableObjectMode: shape.reads === 'objects',
    writableObjectMode: shape.writes === 'objects',
    readableHighWaterMark: readRoom
  }
}

export class LinkStream extends Duplex {
  readonly shape: StreamShape
  readonly #frames: StreamFrames
  readonly #send: SendWindow
  readonly #receive: ReceiveWindow
  /** The chunk that is being written, from where on, and what to call when it is all sent. */
  #chunk: unknown = null
  #chunkAt = 0
  #chunkDone: Done | null = null
  #endSent: boolean
  #endReceived: boolean
  #isStopped = false
  /** The far side has forgotten the stream, or does not exist any more. */
  #isForgotten = false

  /** `given`: credits that the far side gave us at first; `room`: those that we gave it. */
  constructor(shape: StreamShape, frames: StreamFrames, given: StreamCredits, room: StreamCredits) {
    const readRoom = shape.reads === 'objects' ? room.objects : room.bytes
    super(duplexOptions(shape, readRoom))
    this.shape = shape
    this.#frames = frames
    this.#send = new SendWindow(shape.writes === 'objects' ? given.objects : given.bytes)
    this.#receive = new ReceiveWindow(readRoom)
    this.#endSent = shape.writes === null
    this.#endReceived = shape.reads === null
    this.on('error', ignore)
  }

  /** STREAM_DATA of bytes. Throws FRAME_INVALID. */
  receivedBytes(bytes: Buffer): void {
    this.#receiving('bytes', bytes.length)
    if (bytes.length > 0 && !this.destroyed) this.push(bytes)
    this.#giveBack()
  }

  /** STREAM_DATA of an object. Throws FRAME_INVALID. */
  receivedObject(value: unknown): void {
    if (value === null) throw new ShoalError('FRAME_INVALID', { stream: this.shape.name, object: 'null' })
    this.#receiving('objects', 1)
    if (!this.destroyed) this.push(value)
    this.#giveBack()
  }

  /** STREAM_END. */
  receivedEnd(): void {
    if (this.#endReceived) throw new ShoalError('FRAME_INVALID', { stream: this.shape.name, after: 'end' })
    this.#endReceived = true
    this.#forgetIfOver()
    if (!this.destroyed) this.push(null)
  }

  /** STREAM_CREDIT. Throws FRAME_INVALID. */
  receivedCredit(count: number): void {
    this.#send.add(count)
    this.#sendChunk()
  }

  /** STREAM_CREDIT of 0: the far side reads no more after `total`. If that is all, it is as if another had ended the stream. */
  receivedStop(total: number): void {
    if (this.#endSent || this.destroyed) return
    if (this.writableLength === 0 && this.#send.spent === total) this.end()
    else this.destroy(this.#unread())
  }

  /** What the far side writes from now on is read by no one. It is told so; what it has written already is an error. */
  stopReading(): void {
    if (this.destroyed || this.readableEnded) return
    this.unpipe()
    if (this.readableLength > 0) return void this.destroy(this.#unread())
    this.#isStopped = true
    this.resume()
    if (!this.#endReceived) this.#frames.stop(this.shape.id, this.#receive.total)
  }

  /** STREAM_ABORT, or the end of the link: nothing is sent for this stream any more. */
  aborted(error: ShoalError): void {
    this.#forget()
    this.destroy(error)
  }

  // Reading is what returns credit. `_read` alone does not tell: it is not called again before the next push.
  override read(size?: number): unknown {
    const chunk: unknown = super.read(size)
    this.#giveBack()
    return chunk
  }

  override _read(): void {}

  override _write(chunk: unknown, _encoding: BufferEncoding, done: Done): void {
    this.#chunk = chunk
    this.#chunkAt = 0
    this.#chunkDone = done
    this.#sendChunk()
  }

  override _final(done: Done): void {
    this.#endSent = true
    if (!this.#isForgotten) this.#frames.end(this.shape.id)
    this.#forgetIfOver()
    done()
  }

  override _destroy(error: Error | null, done: Done): void {
    this.#chunk = null
    this.#chunkDone = null
    if (!this.#isForgotten) this.#frames.abort(this.shape.id, error === null ? '' : error.message)
    this.#forget()
    done(error)
  }

  #unread(): ShoalError {
    return new ShoalError('STREAM_ABORTED', { stream: this.shape.name, reason: 'no one reads it any more' })
  }

  #receiving(content: Content, count: number): void {
    if (this.#endReceived || this.shape.reads !== content) {
      throw new ShoalError('FRAME_INVALID', { stream: this.shape.name, unexpected: content })
    }
    this.#receive.received(count)
    if (this.#isStopped) this.destroy(this.#unread())
  }

  #giveBack(): void {
    if (this.#isForgotten || this.#endReceived) return
    const count = this.#receive.giveBack(this.readableLength, this.readableHighWaterMark)
    if (count > 0) this.#frames.credit(this.shape.id, count)
  }

  #sendChunk(): void {
    const done = this.#chunkDone
    if (done === null) return
    if (this.shape.writes === 'objects') {
      if (this.#send.credits === 0) return
      try {
        this.#frames.object(this.shape.id, this.#chunk)
      } catch (error) {
        this.#chunkDone = null
        done(error as Error)
        return
      }
      this.#send.spend(1)
    } else if (!this.#sendBytes(this.#chunk as Uint8Array)) return
    this.#chunk = null
    this.#chunkDone = null
    done()
  }

  #sendBytes(chunk: Uint8Array): boolean {
    while (this.#chunkAt < chunk.length) {
      const count = Math.min(this.#send.credits, DATA_BYTES_MAX, chunk.length - this.#chunkAt)
      if (count === 0) return false
      this.#send.spend(count)
      this.#frames.data(this.shape.id, chunk, this.#chunkAt, this.#chunkAt + count)
      this.#chunkAt += count
    }
    return true
  }

  #forgetIfOver(): void {
    if (this.#endSent && this.#endReceived) this.#forget()
  }

  #forget(): void {
    if (this.#isForgotten) return
    this.#isForgotten = true
    this.#frames.forget(this.shape.id)
  }
}
