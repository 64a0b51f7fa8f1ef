// One end of a simulated TCP connection, as a Node Duplex. The kernel's part (segments arrive, are answered
// with a reset, wait to be read) goes on while the process is stopped; the Duplex's part enters the process.
// As with real sockets of this runtime, the other side's end does not end this side.
import { Duplex } from 'node:stream'
import type { Fabric } from './fabric.ts'
import { type Kernel, systemError } from './kernel.ts'
import { Pipe, type Segment } from './pipe.ts'
import type { SimulatedProcess } from './process.ts'

const READ_BYTES_MAX = 64 * 1024

export class SimulatedStream extends Duplex {
  readonly #process: SimulatedProcess
  readonly #kernel: Kernel
  readonly #out: Pipe
  readonly #fabric: Fabric
  #in: Pipe | null = null
  #opened: (() => void) | null = null
  #arrived: Buffer[] = []
  #endArrived = false
  #endRead = false
  #endSent = false
  #reading = false
  #pumping = false
  #writing: ((error?: Error | null) => void) | null = null
  /** The kernel has given up this end: what arrives is answered with a reset. */
  #gone = false
  /** Nothing is sent any more: either side has reset the connection. */
  #reset = false

  constructor(
    process: SimulatedProcess,
    kernel: Kernel,
    fabric: Fabric,
    to: string,
    receive: (segment: Segment) => void
  ) {
    super({ decodeStrings: true, allowHalfOpen: true })
    this.#process = process
    this.#kernel = kernel
    this.#fabric = fabric
    this.#out = new Pipe(fabric, kernel.host, to, receive)
    kernel.streams.add(this)
  }

  /** The pipe that this end writes. */
  get out(): Pipe {
    return this.#out
  }

  /** Tells the end what it reads, which cannot be known before both exist. */
  attach(incoming: Pipe, opened: (() => void) | null): void {
    this.#in = incoming
    this.#opened = opened
  }

  /** A segment from the wire. */
  receive(segment: Segment): void {
    if (segment === 'reset') return this.#resetByPeer()
    if (this.#gone) return this.#answerWithReset()
    if (segment === 'open') {
      const opened = this.#opened
      this.#opened = null
      if (opened !== null) this.#process.enter(opened)
      return
    }
    if (segment === 'end') this.#endArrived = true
    else this.#arrived.push(segment)
    this.#pump()
  }

  /**
   * The process is gone without a word to this object: no callback runs any more. The kernel closes the
   * connection, with an end or a reset. Without `power` it says nothing, and forgets what was under way.
   */
  abandon(power: boolean): void {
    const unread = this.#arrived.length > 0 || this.#fabric.random.chance(0.5)
    this.#leave()
    if (!power) this.#out.discardStalled()
    else if (unread) this.#answerWithReset()
    else if (!this.#reset && !this.#endSent) this.#out.signal('end')
  }

  /** The kernel that comes up again after a loss of power knows nothing of this connection. */
  disown(): void {
    this.#leave()
    this.#answerWithReset()
  }

  override _read(): void {
    this.#reading = true
    this.#pump()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    this.#writing = callback
    let sync = true
    this.#out.write(chunk, () => {
      if (sync) this.#wrote()
      else this.#process.enter(this.#wrote)
    })
    sync = false
  }

  override _writev(chunks: { chunk: Buffer }[], callback: (error?: Error | null) => void): void {
    this._write(Buffer.concat(chunks.map(({ chunk }) => chunk)), 'binary', callback)
  }

  override _final(callback: (error?: Error | null) => void): void {
    this.#endSent = true
    if (!this.#reset) this.#out.signal('end')
    callback()
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    const unread = this.#arrived.length > 0
    this.#leave()
    if (unread) this.#answerWithReset()
    else if (!this.#reset && !this.#endSent) this.#out.signal('end')
    this.#endSent = true
    const writing = this.#writing
    this.#writing = null
    writing?.(error ?? systemError('ECANCELED', 'write', ''))
    callback(error)
  }

  #wrote = (): void => {
    const writing = this.#writing
    this.#writing = null
    writing?.()
  }

  #leave(): void {
    this.#gone = true
    this.#opened = null
    this.#arrived = []
    this.#kernel.streams.delete(this)
    this.#out.discardUnsent()
  }

  #answerWithReset(): void {
    if (this.#reset) return
    this.#reset = true
    this.#out.signal('reset')
  }

  #resetByPeer(): void {
    this.#reset = true
    this.#out.discardUnsent()
    if (this.#gone) return
    this.#arrived = []
    this.#process.enter(() => {
      if (!this.#gone) this.destroy(systemError('ECONNRESET', 'read', ''))
    })
  }

  #pump(): void {
    if (this.#pumping || !this.#reading || this.#endRead) return
    if (this.#arrived.length === 0 && !this.#endArrived) return
    this.#pumping = true
    this.#process.enter(this.#pushArrived)
  }

  // One chunk for each time the Duplex asks, as much as a read of the kernel would give.
  #pushArrived = (): void => {
    this.#pumping = false
    if (this.#gone) return
    const chunk = this.#takeArrived()
    if (chunk !== null) {
      this.#reading = false
      this.#in?.consumed(chunk.length)
      this.push(chunk)
    } else if (this.#endArrived && !this.#endRead) {
      this.#endRead = true
      this.push(null)
    }
  }

  #takeArrived(): Buffer | null {
    if (this.#arrived.length === 0) return null
    let bytes = 0
    let count = 0
    for (const segment of this.#arrived) {
      if (count > 0 && bytes + segment.length > READ_BYTES_MAX) break
      bytes += segment.length
      count++
    }
    const taken = this.#arrived.splice(0, count)
    return taken.length === 1 ? taken[0]! : Buffer.concat(taken, bytes)
  }
}
