// What an operator may set of the web gateway (WebSocket and HTTP on one port), and what holds when
// nothing is said. Every number is a bound on memory or time that one client, or all of them, can take.

/** `opens` is the first of those that share a port. */
export type PortSharing = 'none' | 'opens' | 'joins'

export interface WebOptions {
  host: string
  /** 0 takes any free one. */
  port: number
  /** Lets clients without credentials connect when `host` is not a loopback address. */
  allowAnonymous: boolean
  /**
   * Origins whose pages may connect and publish, `https://app.example.org`, besides pages of this very host and
   * programs that are no browsers; `*` is all.
   */
  origins: readonly string[]
  /** WebSockets at once; more are refused with status 503. */
  connectionsMax: number
  /**
   * Largest frame of a client, body of an HTTP publish, and payload of either, in bytes, at most `MESSAGE_BYTES_MAX`. A
   * larger frame closes the connection (1009), a larger body is answered with 413.
   */
  frameBytesMax: number
  /** Subscriptions of one connection. */
  subscriptionsMax: number
  /** Publishes of QoS 1 of one connection that wait for their answer; one more is refused. */
  publishWindow: number
  /** Bytes that wait to be sent to one connection. Beyond it, the connection is told what it missed, and closed. */
  outboxBytesMax: number
  /** Bytes of requests that wait while the way into the cluster is congested; beyond it the connection is closed. */
  inboxBytesMax: number
  /** A WebSocket that has not sent `connect` is closed after it. */
  connectTimeoutMs: number
  /** A socket without any byte from its client for so long is closed; half way it is sent a ping. 8..960. */
  idleTimeoutSeconds: number
  /** How often clients should make sure of a silent connection. */
  pingMs: number
  /** An HTTP body that is not whole by then is refused. */
  bodyTimeoutMs: number
  /** Publish requests of HTTP at once, reading or waiting for receipts; more are refused with status 429. */
  requestsMax: number
  /** Bytes of bodies of all these requests together; more are refused with status 429. */
  requestBytesMax: number
  /** Messages of one batch. */
  batchMax: number
  /** A publish at QoS 1 that has no receipt by then is answered with status 504. */
  receiptTimeoutMs: number
  /** How long `close` lets goodbyes reach their clients. */
  lingerMs: number
  /** Whether other threads of this process listen on the port as well, and the system deals connections out to all. */
  sharing: PortSharing
}

export const WEB_DEFAULTS: Readonly<WebOptions> = {
  host: '127.0.0.1',
  port: 8080,
  allowAnonymous: false,
  origins: [],
  connectionsMax: 100_000,
  frameBytesMax: 1_048_576,
  subscriptionsMax: 1_000,
  publishWindow: 256,
  outboxBytesMax: 1_048_576,
  inboxBytesMax: 4_194_304,
  connectTimeoutMs: 10_000,
  idleTimeoutSeconds: 60,
  pingMs: 25_000,
  bodyTimeoutMs: 10_000,
  requestsMax: 1_024,
  requestBytesMax: 67_108_864,
  batchMax: 1_000,
  receiptTimeoutMs: 10_000,
  lingerMs: 250,
  sharing: 'none'
}
