// MQTT over WebSocket: binary frames carry the byte stream of a connection of gateway/mqtt. A packet
// may span frames, and a frame may hold several packets. Source: MQTT 5.0, section 6.
import type { ByteTransport } from '../mqtt/transport.ts'
import type { SocketHandler } from './gateway.ts'
import type { Socket } from './socket.ts'

/** What gateway/mqtt makes of a transport: it is fed by the socket's events. */
export interface MqttStream {
  onData(chunk: Buffer): void
  onWritable(): void
  onClose(): void
}

/** Takes a new MQTT client; null when there are too many. */
export type AcceptMqtt = (transport: ByteTransport) => MqttStream | null

/** The close codes of RFC 6455, section 7.4.1. */
const NORMAL = 1000
const GOING_AWAY = 1001
const UNSUPPORTED_DATA = 1003
const POLICY_VIOLATION = 1008

/** What a chunk that waits costs besides its bytes. */
const CHUNK_BYTES = 96

/**
 * A WebSocket as the transport of an MQTT connection. A WebSocket cannot be paused, so while it should be, what comes
 * is kept, and the socket closed beyond `inputBytesMax`.
 */
export class MqttSocket implements ByteTransport, SocketHandler {
  readonly remoteAddress: string
  readonly #socket: Socket
  readonly #inputBytesMax: number
  #stream: MqttStream | null = null
  #isPaused = false
  #input: Buffer[] = []
  #inputBytes = 0
  #isEnding = false

  constructor(socket: Socket, inputBytesMax: number) {
    this.#socket = socket
    this.#inputBytesMax = inputBytesMax
    this.remoteAddress = socket.remoteAddress
  }

  /** Begins. Closes the socket when the client is not accepted. */
  open(accept: AcceptMqtt): void {
    this.#stream = accept(this)
    if (this.#stream === null) this.#socket.end(POLICY_VIOLATION, 'too many connections')
  }

  // From the MQTT connection.

  get writable(): boolean {
    return this.#socket.buffered() === 0
  }

  write(bytes: Uint8Array): void {
    if (!this.#isEnding) this.#socket.sendBinary(bytes)
  }

  pause(): void {
    this.#isPaused = true
  }

  resume(): void {
    this.#isPaused = false
    const input = this.#input
    let taken = 0
    while (!this.#isPaused && taken < input.length) {
      const chunk = input[taken++]!
      this.#inputBytes -= chunk.length + CHUNK_BYTES
      this.#stream?.onData(chunk)
    }
    // Closing has replaced the list; else keep what a new pause has left.
    if (this.#input === input) this.#input = input.slice(taken)
  }

  end(): void {
    if (this.#isEnding) return
    this.#isEnding = true
    // The connection may be in the middle of something that the close would tell it of: so not before it returns.
    queueMicrotask(() => this.#socket.end(NORMAL, ''))
  }

  destroy(): void {
    this.#isEnding = true
    queueMicrotask(() => this.#socket.destroy())
  }

  // From the socket.

  received(data: ArrayBuffer, isBinary: boolean): void {
    // [MQTT-6.0.0-1]
    if (!isBinary) return this.#socket.end(UNSUPPORTED_DATA, 'MQTT travels in binary frames')
    if (data.byteLength === 0 || this.#isEnding) return
    // The library takes the memory back, and messages keep views of the chunk.
    const chunk = Buffer.from(data.slice(0))
    if (!this.#isPaused) return this.#stream?.onData(chunk)
    this.#input.push(chunk)
    this.#inputBytes += chunk.length + CHUNK_BYTES
    if (this.#inputBytes > this.#inputBytesMax) this.#socket.end(POLICY_VIOLATION, 'too much input')
  }

  drained(): void {
    if (this.writable) this.#stream?.onWritable()
  }

  closed(_code: number): void {
    this.#socket.forget()
    this.#isEnding = true
    this.#input = []
    const stream = this.#stream
    this.#stream = null
    stream?.onClose()
  }

  tick(_now: number): void {}

  /** The MQTT gateway tells its clients itself; who is still here then is cut off. */
  shutDown(): void {
    this.#socket.end(GOING_AWAY, 'the node stops')
  }
}
