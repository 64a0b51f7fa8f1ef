// One WebSocket from its opening to its end: lines out, gathered for a frame; lines in; and a watch on
// silence, since a browser does not notice for minutes that its network is gone.

/** What is used of a WebSocket: the browser's, Node's (22 and later), or that of the `ws` package. */
export interface WebSocketLike {
  readonly readyState: number
  readonly bufferedAmount: number
  onopen: ((event: never) => void) | null
  onmessage: ((event: never) => void) | null
  onclose: ((event: never) => void) | null
  onerror: ((event: never) => void) | null
  send(data: string): void
  close(code?: number, reason?: string): void
}

export type WebSocketConstructor = new (url: string) => WebSocketLike

export interface ChannelEvents {
  opened(): void
  /** A parsed line. */
  received(object: object): void
  /** Called once, and nothing after it. */
  closed(code: number, reason: string): void
}

/** The code of a close that no one has sent. Source: RFC 6455, section 7.4.1. */
const ABNORMAL = 1006
const NORMAL = 1000
const BATCH_LENGTH = 16_384

export class Channel {
  /** Most characters of a frame of several lines. */
  batchLength = BATCH_LENGTH
  readonly #socket: WebSocketLike
  readonly #events: ChannelEvents
  readonly #lines: string[] = []
  #length = 0
  #lastReceived = 0
  #watch: ReturnType<typeof setInterval> | undefined
  #isOver = false

  /** Throws what the constructor throws for a bad URL. */
  constructor(WebSocket: WebSocketConstructor, url: string, events: ChannelEvents) {
    this.#events = events
    this.#socket = new WebSocket(url)
    this.#socket.onopen = () => events.opened()
    this.#socket.onmessage = ({ data }: { data: unknown }) => this.#received(data)
    this.#socket.onclose = ({ code, reason }: { code: number; reason: string }) => this.end(code, reason)
    // A close follows each error, and says as much.
    this.#socket.onerror = () => {}
  }

  /** Bytes that wait to be sent. */
  get buffered(): number {
    return this.#socket.bufferedAmount + this.#length
  }

  /** Sends a line, together with others of this moment. */
  send(line: string): void {
    if (this.#isOver) return
    if (this.#length + line.length > this.batchLength) this.#flush()
    if (this.#lines.push(line) === 1) queueMicrotask(() => this.#flush())
    this.#length += line.length + 1
  }

  /** Calls `ping` when nothing came for `silentMs`; ends the channel when nothing came for twice as long. */
  watch(silentMs: number, ping: () => void): void {
    this.#lastReceived = performance.now()
    this.#watch = setInterval(() => {
      const silence = performance.now() - this.#lastReceived
      if (silence >= 2 * silentMs) this.end(ABNORMAL, 'the gateway is silent')
      else if (silence >= silentMs) ping()
    }, silentMs / 4)
  }

  /** Closes, without waiting for the other end, and reports it. */
  end(code: number, reason: string): void {
    if (this.#isOver) return
    this.#flush()
    this.#isOver = true
    clearInterval(this.#watch)
    this.#socket.onopen = null
    this.#socket.onmessage = null
    this.#socket.onclose = null
    try {
      this.#socket.close(NORMAL)
    } catch {
      // Some refuse while they are still opening.
    }
    this.#events.closed(code, reason)
  }

  #flush(): void {
    if (this.#isOver || this.#lines.length === 0) return
    const frame = this.#lines.join('\n')
    this.#lines.length = 0
    this.#length = 0
    if (this.#socket.readyState === 1) this.#socket.send(frame)
  }

  #received(data: unknown): void {
    this.#lastReceived = performance.now()
    if (typeof data !== 'string') return this.end(ABNORMAL, 'a frame is binary')
    for (const line of data.split('\n')) {
      if (line === '') continue
      const object = parse(line)
      if (object === null) return this.end(ABNORMAL, 'a line is not a JSON object')
      this.#events.received(object)
      if (this.#isOver) return
    }
  }
}

/** Null for what is not a JSON object. */
function parse(line: string): object | null {
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === 'object' ? value : null
  } catch {
    return null
  }
}
