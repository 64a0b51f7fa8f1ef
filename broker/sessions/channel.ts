// The way of operations between a gateway and the sessions that a peer hosts, both ways, for all clients of the two
// nodes: gathered while the piece before is under way, sent as one when that has been answered. It lives as long as the
// link: operations are neither lost nor repeated within a link, and when it closes both sides let go of each other.
//
//   send ──▶ [ op, op, op, … ] ──piece──▶ session.operations ──▶ peer        one piece at a time
import { ShoalError } from '../errors.ts'
import type { Link } from '../link/link.ts'
import type { Clock } from '../runtime/clock.ts'

/** The first is its kind, the second the connection that it is about. */
export type Operation = readonly unknown[]

const TIMEOUT_MS = 30_000
const RETRY_MS = 10
const PIECE_OPERATIONS = 4096
const PIECE_BYTES = 256 * 1024
/** From here on QoS 0 for clients behind the channel is dropped, and their publishes are asked to wait. */
const CONGESTED_BYTES = 4 * 1024 * 1024

export class Channel {
  readonly link: Link
  readonly #clock: Clock
  #operations: Operation[] = []
  #sizes: number[] = []
  #bytes = 0
  readonly #whenSent: (() => void)[] = []
  #isSending = false
  #isScheduled = false
  #isClosed = false

  constructor(link: Link, clock: Clock) {
    this.link = link
    this.#clock = clock
  }

  get isCongested(): boolean {
    return this.#bytes > CONGESTED_BYTES
  }

  /** `bytes`: about what it takes. */
  send(operation: Operation, bytes: number): void {
    if (this.#isClosed) return
    this.#operations.push(operation)
    this.#sizes.push(bytes)
    this.#bytes += bytes
    if (this.#isSending || this.#isScheduled) return
    this.#isScheduled = true
    this.#clock.defer(() => {
      this.#isScheduled = false
      this.#flush()
    })
  }

  /** Settles when nothing waits to be sent any more, or the channel is closed. */
  sent(): Promise<void> {
    if (this.#isClosed || this.#operations.length === 0) return Promise.resolve()
    return new Promise(resolve => this.#whenSent.push(resolve))
  }

  close(): void {
    this.#isClosed = true
    this.#operations = []
    this.#settle()
  }

  #settle(): void {
    for (const run of this.#whenSent.splice(0)) run()
  }

  #flush(): void {
    if (this.#isClosed || this.#isSending || this.#operations.length === 0) return
    let [count, bytes] = [0, 0]
    while (
      count < this.#operations.length &&
      count < PIECE_OPERATIONS &&
      (count === 0 || bytes < PIECE_BYTES)
    )
      bytes += this.#sizes[count++]!
    const operations = this.#operations.slice(0, count)
    this.#isSending = true
    this.link.requestCallback('session.operations', { operations }, TIMEOUT_MS, error => {
      this.#isSending = false
      if (this.#isClosed) return
      if (error === null) {
        this.#operations.splice(0, count)
        this.#sizes.splice(0, count)
        this.#bytes -= bytes
        if (this.#operations.length === 0) this.#settle()
        this.#flush()
      } else if (error.code === 'LINK_FULL') this.#clock.after(RETRY_MS, () => this.#flush())
      // Whether it came is not known: nothing may follow it.
      else this.link.destroy(new ShoalError('STREAM_ABORTED', { channel: 'session.operations' }, error))
    })
  }
}
