// Where the frames of an instance leave: what is written here can be read from the instance, as fast as whatever it
// is piped into takes it.
import { Duplex, type DuplexOptions, type Readable } from 'node:stream'

type Done = (error?: Error | null) => void

/** There is nothing to read here. */
const writeOnly: DuplexOptions = { allowHalfOpen: true, ...{ readable: false } }

export class Outlet extends Duplex {
  readonly #instance: Readable
  /** The write that waits for the instance to be read. */
  #waiting: Done | null = null

  constructor(instance: Readable) {
    super(writeOnly)
    this.#instance = instance
  }

  /** The instance is being read. */
  wanted(): void {
    const done = this.#waiting
    this.#waiting = null
    done?.()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    if (this.#instance.push(chunk)) done()
    else this.#waiting = done
  }

  // What the writer gives at once leaves at once: a frame's head on its own would cost the socket a write.
  override _writev(writes: readonly { chunk: Buffer }[], done: Done): void {
    this._write(Buffer.concat(writes.map(({ chunk }) => chunk)), 'binary', done)
  }

  override _final(done: Done): void {
    this.#instance.push(null)
    done()
  }
}
