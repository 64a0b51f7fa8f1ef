// What waits to be sent to one browser: pieces of shared memory. Messages that lie side by side in a
// slab extend the last piece instead of adding one, so a tick of a fan-out is one piece and one send.
//
//   full    ┌─────────┐ ┌─────────┐      sealed pieces, oldest first
//           └─────────┘ └─────────┘
//   buffer  ┌──────┬──────────────┬────  the open piece: start..end
//           │      │ start    end │
//
// Bounded in bytes, together with what the socket has not sent: at the bound messages are missed, and
// counted; the connection is then closed by its owner.

/** Where an outbox writes to: a WebSocket. */
export interface Sink {
  /** Bytes that were given to the socket and not to the system. */
  buffered(): number
  /** Sends one text frame; copies what the system does not take at once. */
  send(frame: Uint8Array): void
}

/** Own bytes are handed to the socket at the end of the tick, or when there are so many. */
const FLUSH_BYTES = 256 * 1024

/** Where the pieces of a flush are joined. Only used within one call. */
const joint = Buffer.allocUnsafeSlow(FLUSH_BYTES)

const nowhere = new ArrayBuffer(0)

/** The last piece that was sent: in a fan-out the next connection's is the same. */
let lastPiece: Uint8Array = new Uint8Array(nowhere)

export class Outbox {
  readonly bytesMax: number
  readonly #sink: Sink
  #full: Uint8Array[] = []
  #buffer: ArrayBufferLike = nowhere
  #start = 0
  #end = 0
  /** Bytes and messages since the last flush. */
  #bytes = 0
  #messages = 0
  /** Messages that were dropped because the outbox was full. From the first on, nothing else is taken. */
  missed = 0

  constructor(sink: Sink, bytesMax: number) {
    this.#sink = sink
    this.bytesMax = bytesMax
  }

  get isEmpty(): boolean {
    return this.#bytes === 0
  }

  /** Whether a message was missed: the connection is to be closed. */
  get isFull(): boolean {
    return this.missed > 0
  }

  /** Whether half of the bound waits, here and in the socket. */
  get isBusy(): boolean {
    return this.#bytes + this.#sink.buffered() > this.bytesMax / 2
  }

  /** Adds whole lines, which must not be written to again. Counts as one message if `isMessage`. */
  push(lines: Uint8Array, isMessage: boolean): void {
    if (this.missed > 0) {
      if (isMessage) this.missed++
      return
    }
    const offset = lines.byteOffset
    if (lines.buffer === this.#buffer && offset === this.#end) {
      this.#end = offset + lines.length
    } else {
      if (this.#end !== this.#start) this.#seal()
      this.#buffer = lines.buffer
      this.#start = offset
      this.#end = offset + lines.length
    }
    this.#bytes += lines.length
    if (isMessage) this.#messages++
    if (this.#bytes >= FLUSH_BYTES) this.flush()
  }

  /** Hands all to the socket; if that has too much unsent already, all messages are missed instead. */
  flush(): void {
    if (this.#bytes === 0) return
    const buffered = this.#sink.buffered()
    if (buffered > 0 && buffered + this.#bytes > this.bytesMax) this.missed += Math.max(1, this.#messages)
    else if (this.#full.length === 0) this.#sink.send(pieceOf(this.#buffer, this.#start, this.#end))
    else this.#sendPieces()
    this.#clear()
  }

  #sendPieces(): void {
    this.#seal()
    const pieces = this.#full
    let joined = 0
    for (let i = 0; i < pieces.length; i++) {
      const piece = pieces[i]!
      if (joined + piece.length > FLUSH_BYTES) {
        if (joined > 0) this.#sink.send(joint.subarray(0, joined))
        joined = 0
      }
      if (piece.length > FLUSH_BYTES) {
        this.#sink.send(piece)
      } else {
        joint.set(piece, joined)
        joined += piece.length
      }
    }
    if (joined > 0) this.#sink.send(joint.subarray(0, joined))
  }

  #seal(): void {
    this.#full.push(pieceOf(this.#buffer, this.#start, this.#end))
  }

  #clear(): void {
    if (this.#full.length > 0) this.#full = []
    this.#buffer = nowhere
    this.#start = 0
    this.#end = 0
    this.#bytes = 0
    this.#messages = 0
  }
}

function pieceOf(buffer: ArrayBufferLike, start: number, end: number): Uint8Array {
  const last = lastPiece
  if (last.buffer === buffer && last.byteOffset === start && last.length === end - start) return last
  lastPiece = new Uint8Array(buffer, start, end - start)
  return lastPiece
}
