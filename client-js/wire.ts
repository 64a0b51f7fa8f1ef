// The WebSocket protocol of browsers, defined once: the gateway and the client both import this file.
// A text frame holds one or more JSON objects, a line each (`\n` between them; none inside, since JSON
// escapes it), so that all that a tick brings to a connection travels as one frame.
//
//   client                                     gateway
//     │ {"t":"connect","version":1}               │
//     │──────────────────────────────────────────▶│
//     │ {"t":"welcome","client":…,"limits":…}     │   nothing else is sent before it
//     │◀──────────────────────────────────────────│
//     │ {"t":"subscribe","id":1,"filter":"a/#"}   │
//     │──────────────────────────────────────────▶│
//     │ {"t":"subscribed","id":1}                 │   every owner has the route
//     │◀──────────────────────────────────────────│
//     │ {"m":"a/b","e":3,"o":17,"p":"hi"}         │   a message: the one object without "t"
//     │◀──────────────────────────────────────────│
//
// A message is encoded once, and its bytes are shared by all subscribers: so it names the topic, not the
// subscriptions that it is for. The client matches its own filters (filter.ts).

/** The version that `connect` asks for and `welcome` confirms. */
export const PROTOCOL_VERSION = 1

/** Identifies a request, and the subscription it makes. Chosen by the client: an integer, 1..268,435,455. */
export type RequestId = number

export const REQUEST_ID_MAX = 268_435_455

/** The first request. An older connection with the same `client`, on any node, is closed with `TAKEN_OVER`. */
export interface ConnectRequest {
  t: 'connect'
  version: number
  /** The client id, 1..128 characters; not given: the gateway makes one. */
  client?: string
}

/**
 * Subscribes, answered by `subscribed` or `error`. Messages may come before the answer; retained messages follow it,
 * with the request's id. The same filter again sends the retained messages again.
 */
export interface SubscribeRequest {
  t: 'subscribe'
  id: RequestId
  filter: string
}

/** Ends the subscription to a filter, answered by `unsubscribed`, also when there was none. */
export interface UnsubscribeRequest {
  t: 'unsubscribe'
  id: RequestId
  filter: string
}

/** A payload in exactly one of three forms; its bytes are the text in UTF-8, the JSON text, or the decoded base64. */
export interface PayloadFields {
  text?: string
  json?: unknown
  base64?: string
}

/**
 * Publishes. At QoS 1 `id` is required, and the answer is `published` or `error`. At QoS 0 nothing is answered,
 * except an `error` when the request is refused. An empty payload with `retain` clears what is retained.
 */
export interface PublishRequest extends PayloadFields {
  t: 'publish'
  id?: RequestId
  topic: string
  /** 0 if not given. */
  qos?: 0 | 1
  /** False if not given. */
  retain?: boolean
}

/** Answered by `pong`. To be sent when nothing came for `limits.pingMs`. */
export interface PingRequest {
  t: 'ping'
}

export type Request = ConnectRequest | SubscribeRequest | UnsubscribeRequest | PublishRequest | PingRequest

export interface Limits {
  /** The largest frame, and body of a message, in bytes of UTF-8. A larger one closes the connection. */
  frameBytes: number
  /** Subscriptions of one connection. */
  subscriptions: number
  /** Publishes of QoS 1 that may wait for their answer. */
  publishWindow: number
  /** A connection that is silent for longer should be tested with a ping. */
  pingMs: number
}

export interface WelcomeReply {
  t: 'welcome'
  version: number
  client: string
  /** The id of the node. */
  node: string
  limits: Limits
}

export interface SubscribedReply {
  t: 'subscribed'
  id: RequestId
}

export interface UnsubscribedReply {
  t: 'unsubscribed'
  id: RequestId
}

/** The message is ordered by its owner, and taken by every node with a subscriber. */
export interface PublishedReply {
  t: 'published'
  id: RequestId
  /** As in MQTT 5's PUBACK: 0, or 16 when there was no subscriber. */
  reason: number
}

export interface PongReply {
  t: 'pong'
}

/** A request failed; with an `id`, that one. The connection goes on. */
export interface ErrorReply {
  t: 'error'
  id?: RequestId
  code: WireErrorCode
  message: string
  /** Whether the same request may succeed later. */
  retryable: boolean
}

/** The last object before the gateway closes, with the code of the close. */
export interface GoodbyeReply {
  t: 'goodbye'
  code: DisconnectCode
  message: string
  /** With `SLOW`: how many messages for this client were dropped, at the least. */
  missed?: number
}

/** A message. `p` or `b` is there, never both: what is valid UTF-8 travels as text, all else as base64. */
export interface MessageFrame {
  /** The topic. */
  m: string
  /** Place in the topic's order: epoch, then offset. */
  e: number
  o: number
  /** The payload as text. */
  p?: string
  /** The payload as base64. */
  b?: string
  /** 1 for a retained message, sent because a subscription is new. */
  r?: 1
  /** With `r`: the id of the request that made the subscription. It is for that one only. */
  s?: RequestId
}

export type Reply =
  | WelcomeReply
  | SubscribedReply
  | UnsubscribedReply
  | PublishedReply
  | PongReply
  | ErrorReply
  | GoodbyeReply

/** Callers switch on these, never on the text. */
export type WireErrorCode =
  | 'BAD_REQUEST'
  | 'TOPIC_INVALID'
  | 'FILTER_INVALID'
  | 'LIMIT_EXCEEDED'
  | 'PAYLOAD_TOO_LARGE'
  | 'NOT_AUTHORISED'
  | 'NO_OWNER'
  | 'TIMEOUT'
  | 'CLOSED'
  | 'INTERNAL'

/**
 * Why the gateway closes a connection: the code of the WebSocket's close. 4000-4499: the client should connect again,
 * with backoff. 4500-4999: connecting again would not help.
 */
export const DISCONNECT = {
  /** The node stops: another one, or this one later, serves. */
  SHUTDOWN: 4000,
  /** The client reads slower than messages come for it, and its outbox is full. */
  SLOW: 4001,
  /** No `connect` in time. */
  CONNECT_TIMEOUT: 4002,
  /** The client publishes faster than the cluster takes it. */
  OVERLOADED: 4003,
  /** The node cannot serve now: it has not joined, or it has too many connections. */
  UNAVAILABLE: 4004,
  /** A frame is not in this protocol. */
  PROTOCOL: 4500,
  /** The gateway does not speak the asked version. */
  VERSION: 4501,
  /** Not allowed. */
  NOT_AUTHORISED: 4502,
  /** A newer connection has claimed the client id. */
  TAKEN_OVER: 4503
} as const

export type DisconnectCode = (typeof DISCONNECT)[keyof typeof DISCONNECT]

/** Whether a connection that was closed with `code` should be opened again. Codes of others (1006, a proxy's): yes. */
export function mayReconnect(code: number): boolean {
  return code < 4500 || code > 4999
}
