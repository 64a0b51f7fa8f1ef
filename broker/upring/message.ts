// What requests, replies and their streams look like to those who write them. A request is a plain object: `key` says
// where it goes, `streams` are carried beside it, and all else is the application's.
import type { Duplex, Stream } from 'node:stream'
import type { Key } from '../ring/tracker.ts'

export type { Key } from '../ring/tracker.ts'

/** Streams that are given away with a request or a reply, by name. */
export type Streams = Readonly<Record<string, Stream>>

/** Streams that came with a request or a reply. Of one that has a single direction the other half is off. */
export type ReceivedStreams = Readonly<Record<string, Duplex>>

/** What goes to the owner of its key. */
export interface Keyed {
  readonly key: Key
}

/** A request that nothing more is known of. */
export interface RequestMessage extends Keyed {
  readonly streams?: Streams
  readonly [field: string]: unknown
}

/** A request to a certain peer: the key, if there is one, is only data. */
export interface DirectMessage {
  readonly streams?: Streams
  readonly [field: string]: unknown
}

/** A reply, or an incoming request, that nothing more is known of. */
export interface ReceivedMessage {
  readonly key?: Key
  readonly streams?: ReceivedStreams
  readonly [field: string]: unknown
}

/** On an error `reply` is what the handler gave beside it; mostly undefined. */
export type RequestCallback<Reply> = (error: Error | null, reply: Reply) => void

export type ErrorCallback = (error?: Error | null) => void

/** Answers a request; only the first call counts. Without arguments: an empty reply. */
export type ReplyFunction<Reply = unknown> = (error?: Error | null, reply?: Reply) => void

/** Answers by `reply`, or with what its promise settles to. */
export type Handler<Request = ReceivedMessage, Reply = unknown> = (
  request: Request,
  reply: ReplyFunction<Reply>
  // biome-ignore lint/suspicious/noConfusingVoidType: a handler that answers by `reply` returns nothing
) => void | Promise<Reply | undefined>

/** What a request must have: properties with equal values, or values that match. Or `'ns:kv,cmd:put'`, or `'put'` for `{ cmd: 'put' }`. */
export type Pattern = string | Readonly<Record<string, string | number | boolean | RegExp>>

/** A JSON schema. */
export type Schema = Readonly<Record<string, unknown>>

export interface RequestOptions {
  /** From the call to the answer, retries included. Default: `requestTimeoutMs` of the instance. */
  timeoutMs?: number
}
