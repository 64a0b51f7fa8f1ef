// One direction of a simulated TCP connection: segments in order, none lost, late, and at most so many bytes
// between the writer and the reader. A partition does not break it: segments stall and pass after the heal.
//
//   write ──▶ │ unsent │ ──▶ │ on the wire, stalled, or in the reader's kernel: `inFlight` <= 256 KiB │ ──▶ read
import type { Fabric, Stalled } from './fabric.ts'

export type Segment = Buffer | 'open' | 'end' | 'reset'

/** What a connection holds in one direction: roughly a send and a receive buffer. */
export const IN_FLIGHT_BYTES_MAX = 256 * 1024

const SEGMENT_BYTES_MAX = 64 * 1024
/** Share of segments that arrive in two pieces: a stream has no message boundaries, and readers must not see any. */
const SPLIT = 0.1

export class Pipe implements Stalled {
  readonly from: string
  readonly to: string
  readonly #fabric: Fabric
  readonly #receive: (segment: Segment) => void
  readonly #stalled: Segment[] = []
  #unsent: Buffer | null = null
  #written: (() => void) | null = null
  #inFlight = 0
  #lastArrival = 0
  /** Stalled segments are being let through, each in an event of its own. */
  #passing = false

  constructor(fabric: Fabric, from: string, to: string, receive: (segment: Segment) => void) {
    this.#fabric = fabric
    this.from = from
    this.to = to
    this.#receive = receive
  }

  /** Sends a copy of the bytes; `written` is called once there was room for the last of them, perhaps before this returns. */
  write(bytes: Buffer, written: () => void): void {
    this.#unsent = Buffer.from(bytes)
    this.#written = written
    this.#sendUnsent()
  }

  /** A segment without data. It keeps its place behind the bytes that are under way. */
  signal(segment: 'open' | 'end' | 'reset'): void {
    this.#send(segment)
  }

  /** The reader has taken so many bytes. The writer hears of it one delay later, if it waits. */
  consumed(bytes: number): void {
    this.#inFlight -= bytes
    if (this.#unsent === null) return
    const { timeline } = this.#fabric
    timeline.at(timeline.now + this.#fabric.delay(this.to, this.from), this.from, 'window', () =>
      this.#sendUnsent()
    )
  }

  /** Forgets what is not under way yet, as a kernel does whose process is gone. */
  discardUnsent(): void {
    this.#unsent = null
    this.#written = null
  }

  /** The sender lost its power: what stalls will never be sent again. */
  discardStalled(): void {
    this.#stalled.length = 0
    this.#fabric.unstall(this)
  }

  retry(): void {
    if (this.#passing || this.#stalled.length === 0 || this.#fabric.blocked(this.from, this.to)) return
    this.#fabric.unstall(this)
    this.#passOne()
  }

  #sendUnsent(): void {
    while (this.#unsent !== null) {
      const room = Math.min(IN_FLIGHT_BYTES_MAX - this.#inFlight, SEGMENT_BYTES_MAX)
      if (room <= 0) return
      const unsent = this.#unsent
      const segment = unsent.length > room ? unsent.subarray(0, room) : unsent
      this.#unsent = unsent.length > room ? unsent.subarray(room) : null
      this.#inFlight += segment.length
      this.#sendInPieces(segment)
    }
    const written = this.#written
    this.#written = null
    written?.()
  }

  #sendInPieces(segment: Buffer): void {
    const { random } = this.#fabric
    if (segment.length < 2 || !random.chance(SPLIT)) return this.#send(segment)
    const middle = 1 + random.integer(segment.length - 1)
    this.#send(segment.subarray(0, middle))
    this.#send(segment.subarray(middle))
  }

  #send(segment: Segment): void {
    const { timeline } = this.#fabric
    const at = Math.max(this.#lastArrival, timeline.now + this.#fabric.segmentDelay(this.from, this.to))
    this.#lastArrival = at
    timeline.at(at, this.to, 'segment', () => this.#arrive(segment))
  }

  // One segment an event, so that promises settle between them as they do elsewhere: a connection that was opened
  // and reset behind a partition is handed over before the reset is heard of.
  #passOne(): void {
    const segment = this.#stalled.shift()
    this.#passing = this.#stalled.length > 0
    if (this.#passing) {
      const { timeline } = this.#fabric
      timeline.at(timeline.now, this.to, 'segment', () => this.#passNext())
    }
    if (segment !== undefined) this.#receive(segment)
  }

  #passNext(): void {
    this.#passing = false
    if (this.#fabric.blocked(this.from, this.to)) this.#fabric.stall(this)
    else this.#passOne()
  }

  #arrive(segment: Segment): void {
    if (this.#stalled.length > 0 || this.#fabric.blocked(this.from, this.to)) {
      this.#stalled.push(segment)
      this.#fabric.stall(this)
    } else {
      this.#receive(segment)
    }
  }
}
