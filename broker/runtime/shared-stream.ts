// A duplex between two threads of one process, over two shared pipes: to a link it is what a socket is, for the price of
// copying the bytes. While bytes come it looks for more at the end of each tick; when none have come for some, it sleeps
// until the other side rings.
import { Duplex } from 'node:stream'
import type { Clock } from './clock.ts'
import { PIPE_BYTES, type SharedPipe } from './shared-pipe.ts'

/** Ticks without bytes before it sleeps. To be woken costs both sides about as much as so many idle ticks. */
const IDLE_TICKS_MAX = 4

export interface SharedStreamParts {
  clock: Clock
  /** What this side reads from, and writes to. */
  input: SharedPipe
  output: SharedPipe
  /** Makes the other side's stream look (`look`). */
  ring(): void
  /** The stream is destroyed: nobody need call `look` any more. */
  closed(): void
}

interface Piece {
  chunk: Uint8Array
}

/**
 * Ends as a socket does: `end` leaves the other direction open; when one side is destroyed, the other reads what was sent
 * before, then the end, and its writes fail with EPIPE.
 */
export class SharedStream extends Duplex {
  /** What is written is copied to the pipe. */
  readonly takesCopies = true
  readonly #clock: Clock
  readonly #input: SharedPipe
  readonly #output: SharedPipe
  readonly #ring: () => void
  readonly #closed: () => void
  /** The reader has room for more. */
  #isWanted = true
  #isScheduled = false
  #idleTicks = 0
  #isInputOver = false
  /** What is being written, from piece `#next` and place `#at` of it on; `#done` is owed for all of it. */
  #pieces: readonly Piece[] = []
  #next = 0
  #at = 0
  #done: ((error?: Error | null) => void) | null = null
  readonly #lookAgain: () => void

  constructor({ clock, input, output, ring, closed }: SharedStreamParts) {
    super({ allowHalfOpen: true })
    this.#clock = clock
    this.#input = input
    this.#output = output
    this.#ring = ring
    this.#closed = closed
    this.#lookAgain = (): void => {
      this.#isScheduled = false
      if (!this.destroyed) this.#poll()
    }
    this.#schedule()
  }

  /** The other side has rung. */
  look(): void {
    if (this.destroyed) return
    this.#write()
    this.#idleTicks = 0
    this.#poll()
  }

  override _read(): void {
    if (this.#isWanted) return
    this.#isWanted = true
    this.#schedule()
  }

  override _write(chunk: Uint8Array, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this._writev([{ chunk }], done)
  }

  override _writev(pieces: readonly Piece[], done: (error?: Error | null) => void): void {
    this.#pieces = pieces
    this.#next = 0
    this.#at = 0
    this.#done = done
    this.#write()
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#output.end()
    if (this.#output.takeReaderWaits()) this.#ring()
    done()
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#output.leaveWriter()
    this.#input.leaveReader()
    this.#pieces = []
    this.#done = null
    this.#ring()
    this.#closed()
    done(error)
  }

  /** Writes what is owed, as far as there is room. */
  #write(): void {
    const done = this.#done
    if (done === null) return
    const output = this.#output
    if (output.isReaderGone) return this.#finish(done, brokenPipe())
    do {
      while (this.#next < this.#pieces.length) {
        const { chunk } = this.#pieces[this.#next]!
        this.#at += output.write(chunk, this.#at)
        if (this.#at < chunk.length) break
        this.#next++
        this.#at = 0
      }
      if (output.takeReaderWaits()) this.#ring()
      if (this.#next === this.#pieces.length) return this.#finish(done, null)
    } while (!output.waitForRoom())
  }

  #finish(done: (error?: Error | null) => void, error: Error | null): void {
    this.#pieces = []
    this.#done = null
    done(error)
  }

  #poll(): void {
    if (!this.#isWanted || this.#isInputOver) return
    if (this.#drain()) this.#idleTicks = 0
    else this.#idleTicks++
    if (!this.#isWanted || this.destroyed) return
    if (this.#input.isOver) {
      this.#isInputOver = true
      this.push(null)
    } else if (this.#idleTicks < IDLE_TICKS_MAX || !this.#input.waitForBytes()) this.#schedule()
  }

  /** Hands on what is there, at most one pipe full. Returns whether anything was. */
  #drain(): boolean {
    let bytes = 0
    while (this.#isWanted && bytes < PIPE_BYTES && !this.destroyed) {
      const chunk = this.#input.read()
      if (chunk === null) break
      bytes += chunk.length
      if (this.#input.takeWriterWaits()) this.#ring()
      this.#isWanted = this.push(chunk)
    }
    return bytes > 0
  }

  #schedule(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    this.#clock.defer(this.#lookAgain)
  }
}

function brokenPipe(): NodeJS.ErrnoException {
  const error: NodeJS.ErrnoException = new Error('write EPIPE')
  error.code = 'EPIPE'
  error.syscall = 'write'
  return error
}
