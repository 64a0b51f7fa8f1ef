// Lines that a browser has sent and that wait because the way into the cluster is congested. A
// WebSocket cannot be paused, so what waits is bounded in bytes, and the connection closed beyond.

/** A line costs its text and a place in the queue. */
const LINE_BYTES = 64

export class Inbox {
  readonly bytesMax: number
  #lines: string[] = []
  #next = 0
  #bytes = 0

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax
  }

  get isEmpty(): boolean {
    return this.#next === this.#lines.length
  }

  /** Adds the lines of a frame behind those that wait. Empty ones are left out. */
  add(frame: string): void {
    let start = 0
    while (start < frame.length) {
      const found = frame.indexOf('\n', start)
      const end = found === -1 ? frame.length : found
      if (end > start) {
        this.#lines.push(frame.slice(start, end))
        this.#bytes += end - start + LINE_BYTES
      }
      start = end + 1
    }
  }

  /** Whether more waits than is allowed. A single frame that is being worked on is not what this is about. */
  get isOverfull(): boolean {
    return this.#bytes > this.bytesMax
  }

  /** The oldest line; there is one. */
  take(): string {
    const line = this.#lines[this.#next]!
    this.#next++
    this.#bytes -= line.length + LINE_BYTES
    if (this.#next === this.#lines.length) this.clear()
    return line
  }

  clear(): void {
    if (this.#lines.length > 0) this.#lines = []
    this.#next = 0
    this.#bytes = 0
  }
}
