// Requests of the other side that have come and wait their turn: so many are handled at once, in the order in which
// they came. A `fire` keeps its place in that order, but holds no one up.
import type { Duplex } from 'node:stream'
import { ShoalError } from '../errors.ts'
import type { Reply } from '../link/handlers.ts'

export interface Arrived {
  readonly body: unknown
  readonly streams: Readonly<Record<string, Duplex>>
  /** Null: no one waits for an answer. */
  readonly reply: Reply | null
  readonly bytes: number
}

export interface InboxLimits {
  maxInflight: number
  requestsMax: number
  bufferBytesMax: number
}

export class Inbox {
  /** `fire`s that were dropped because too many waited, or too many bytes. */
  dropped = 0
  readonly #limits: InboxLimits
  readonly #handle: (arrived: Arrived) => void
  /** A queue, from `#head` on. */
  #waiting: Arrived[] = []
  #head = 0
  #waitingBytes = 0
  #running = 0
  #isHandling = false

  /** `handle` is called when it is the turn of one; `finished` is to be called once for each that has a `reply`. */
  constructor(limits: InboxLimits, handle: (arrived: Arrived) => void) {
    this.#limits = limits
    this.#handle = handle
  }

  /** Refuses what is over a limit: a request with LINK_FULL, a fire by dropping it. */
  add(arrived: Arrived): void {
    const { requestsMax, bufferBytesMax } = this.#limits
    const isFull =
      this.#waiting.length - this.#head >= requestsMax || this.#waitingBytes + arrived.bytes > bufferBytesMax
    if (isFull) return this.#refuse(arrived)
    this.#waiting.push(arrived)
    this.#waitingBytes += arrived.bytes
    this.#next()
  }

  finished(): void {
    this.#running--
    this.#next()
  }

  clear(): void {
    this.#waiting = []
    this.#head = 0
    this.#waitingBytes = 0
  }

  #refuse({ reply, streams }: Arrived): void {
    if (reply !== null) {
      reply.fail(new ShoalError('LINK_FULL', { waiting: this.#waiting.length - this.#head }))
      return
    }
    this.dropped++
    for (const stream of Object.values(streams)) stream.destroy()
  }

  // A handler that answers at once comes back here: the loop that is already running goes on.
  #next(): void {
    if (this.#isHandling) return
    this.#isHandling = true
    while (this.#running < this.#limits.maxInflight && this.#head < this.#waiting.length) {
      const arrived = this.#waiting[this.#head++]!
      if (this.#head === this.#waiting.length) this.#rewind()
      this.#waitingBytes -= arrived.bytes
      if (arrived.reply !== null) this.#running++
      this.#handle(arrived)
    }
    this.#isHandling = false
    // Half of the array is behind us: without this, one that is never empty would grow for ever.
    if (this.#head > 64 && this.#head * 2 > this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#head)
      this.#head = 0
    }
  }

  #rewind(): void {
    this.#waiting.length = 0
    this.#head = 0
  }
}
