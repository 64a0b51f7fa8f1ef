// The duplex under a link, with its many ways to end reduced to two, and the owner of what it brings: first
// the handshake, then the link. Bytes that are no frames break it; they never throw further.
import type { Duplex } from 'node:stream'
import { ShoalError } from '../errors.ts'
import { type FrameSink, Reader } from './reader.ts'

/** Told one of the two, once. A frame that is not valid is refused by throwing FRAME_INVALID. */
export interface WireOwner extends FrameSink {
  /** The far side has ended in order, after all that it sent. */
  ended(): void
  /** An error, or bytes that are no frames. */
  broken(reason: ShoalError): void
}

export class Wire {
  readonly duplex: Duplex
  readonly reader: Reader
  #owner: WireOwner
  #isOver: boolean

  constructor(duplex: Duplex, owner: WireOwner, frameBytesMax: number) {
    this.duplex = duplex
    this.reader = new Reader(owner, frameBytesMax)
    this.#owner = owner
    this.#isOver = false
    duplex.on('data', (chunk: Buffer) => this.#guard(() => this.reader.push(chunk)))
    duplex.on('end', () => {
      if (this.#over()) this.#owner.ended()
    })
    duplex.on('error', (error: Error) =>
      this.#broken(new ShoalError('PEER_GONE', { error: error.message }, error))
    )
    duplex.on('close', () => this.#broken(new ShoalError('PEER_GONE', { connection: 'closed' })))
  }

  /** From the next frame on all goes to `owner`; may be called from within a frame. */
  handTo(owner: WireOwner, frameBytesMax: number): void {
    this.#owner = owner
    this.reader.sink = owner
    this.reader.frameBytesMax = frameBytesMax
  }

  /** Lets the frames go on that `reader.hold` has kept. */
  release(): void {
    this.#guard(() => this.reader.release())
  }

  /** The owner hears nothing any more; what was written still leaves, unless `destroy` is called. */
  detach(): void {
    this.#isOver = true
    this.reader.close()
  }

  destroy(): void {
    this.detach()
    this.duplex.destroy()
  }

  #over(): boolean {
    if (this.#isOver) return false
    this.#isOver = true
    return true
  }

  #broken(reason: ShoalError): void {
    if (this.#over()) this.#owner.broken(reason)
  }

  // Whatever is not the peer's fault is a bug of ours, and goes on up.
  #guard(run: () => void): void {
    if (this.#isOver) return
    try {
      run()
    } catch (error) {
      if (!(error instanceof ShoalError)) throw error
      if (error.code !== 'FRAME_INVALID' && error.code !== 'FRAME_TOO_LARGE') throw error
      this.#broken(error)
    }
  }
}
