// What all connections of one web listener share.
import type { Broker } from '../../broker/broker.ts'
import type { WebCounters } from './counters.ts'
import type { MessageEncoder } from './encode.ts'
import type { Flusher } from './flusher.ts'
import type { WebOptions } from './options.ts'

export interface WebGateway {
  readonly broker: Broker
  readonly options: WebOptions
  readonly counters: WebCounters
  readonly encoder: MessageEncoder
  readonly flusher: Flusher
}

/** What a WebSocket's events are handed to; one object a socket. Must not throw. */
export interface SocketHandler {
  /** A frame. `data` is only valid during the call. */
  received(data: ArrayBuffer, isBinary: boolean): void
  /** The socket has sent more of what waited. */
  drained(): void
  /** The socket is closed, by either end; nothing of it may be used any more. Called once. */
  closed(code: number): void
  /** Called about once a second. */
  tick(now: number): void
  /** The node stops: say goodbye and close. */
  shutDown(): void
}
