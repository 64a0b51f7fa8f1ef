// What a program sees of an upring. The names and meanings are those of upring 0.22; what it did not promise is said here.
import type { EventEmitter } from 'node:events'
import type { Tracker } from '../ring/tracker.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Log } from '../runtime/log.ts'
import type { MoveEvent, StealEvent } from './changes.ts'
import type { PeerConnection } from './connection.ts'
import type {
  ErrorCallback,
  Handler,
  Key,
  Keyed,
  Pattern,
  ReceivedMessage,
  ReplyFunction,
  RequestCallback,
  RequestMessage,
  RequestOptions,
  Schema
} from './message.ts'
import type { Peer } from './peer.ts'
import type { RoutingCounters } from './routing.ts'

export interface UpringEvents {
  /** On the ring (or a client that has joined), with all plugins. Once. */
  up: []
  /** A request, while nothing was `add`ed. */
  request: [request: ReceivedMessage, reply: ReplyFunction]
  /** Before each request that is handled here. */
  prerequest: [request: ReceivedMessage]
  move: [event: MoveEvent]
  steal: [event: StealEvent]
  /** A peer is on the ring, and off it. */
  peerUp: [peer: Peer]
  peerDown: [peer: Peer]
  /** The start failed; `ready` says so too. */
  error: [error: Error]
  close: []
}

export type Plugin<Options> = (
  upring: Upring,
  options: Options,
  done: (error?: Error | null) => void
) => unknown

export interface Upring extends EventEmitter<UpringEvents> {
  /** What `ns:monitoring,cmd:info` tells besides the id. Yours to fill. */
  readonly info: Record<string, unknown>
  readonly log: Log
  /** As `log`, for programs that know it by that name. */
  readonly logger: Log
  /** The node's, for what plugins do in time. */
  readonly clock: Clock
  /** From `up` until `close` is called. */
  readonly isReady: boolean
  /** Requests of this node, counted. */
  readonly counters: Readonly<RoutingCounters & { handled: number }>

  /**
   * Handles requests that match the pattern; the first that was added wins. With a schema, a request that does not keep to it is
   * answered by an error with message and code 400, and the list of errors as its reply. Once anything was added, what matches
   * nothing is answered by PATTERN_MISSING, and there are no `request` events any more. Throws OPTION_INVALID, LIMIT_EXCEEDED.
   */
  add<Request = ReceivedMessage, Reply = unknown>(pattern: Pattern, handler: Handler<Request, Reply>): this
  add<Request = ReceivedMessage, Reply = unknown>(
    pattern: Pattern,
    schema: Schema,
    handler: Handler<Request, Reply>
  ): this

  /**
   * Asks the owner of `message.key`, and the next owner if that one dies or the key moves: so a request may be handled twice, by
   * two nodes. One with streams is not tried again once they are given away. Settles once, before its deadline, never within the
   * call. On this very node the message is not copied. Before `up` it waits until the node has joined.
   * Fails with what the handler failed with, or TIMEOUT, PEER_GONE, OWNER_MOVED, BAD_REQUEST (no key, or what cannot be sent),
   * FRAME_TOO_LARGE, LIMIT_EXCEEDED, HANDLER_MISSING, PATTERN_MISSING, CLOSED. The streams of a request that failed are destroyed.
   */
  request<Reply = ReceivedMessage, Message extends Keyed = RequestMessage>(
    message: Message,
    callback: RequestCallback<Reply>
  ): this
  request<Reply = ReceivedMessage, Message extends Keyed = RequestMessage>(
    message: Message,
    options?: RequestOptions
  ): Promise<Reply>
  requestp<Reply = ReceivedMessage, Message extends Keyed = RequestMessage>(
    message: Message,
    options?: RequestOptions
  ): Promise<Reply>

  /**
   * As `request`, without an answer, and without streams: the callback is called when the message has left for the owner of its
   * key, or could not. Lost if that node dies.
   */
  fire<Message extends Keyed = RequestMessage>(message: Message, callback?: ErrorCallback): this

  /** A certain node, by its id or as `peers` has it; also this one. */
  peerConn(peer: { readonly id: string }): PeerConnection
  /** Nodes on the ring, without this one unless `myself`. Clients are not on the ring. */
  peers(myself?: boolean): Peer[]
  mymeta(): Peer
  /** `host:port`. Throws CLOSED before the node has joined. */
  whoami(): string
  /** Joins the ring of these nodes, besides the one it is on. */
  join(peers: string | readonly string[], callback?: ErrorCallback): Promise<void>

  /** False before the node has joined. */
  allocatedToMe(key: Key): boolean
  /** The owner of a key; null while there is none. */
  lookup(key: Key): Peer | null
  /** The node that takes the key over when its owner leaves: where its copy belongs. Those in `skip` are passed over. */
  next(key: Key, skip?: string | readonly string[]): Peer | null
  /** Of the ring as it was last told: equal on all nodes that see the same ring. Throws CLOSED before the node has joined. */
  readonly digest: number
  /** The place of a key on the ring, 0..2^32 - 1. */
  hash(key: Key): number

  /** Follows a key that this node owns: see `Tracker`. Throws OWNER_MOVED when it does not. */
  track(key: Key, options?: { replica?: boolean }): Tracker<Peer>
  /** Calls back once, when this node becomes the owner of a key. Throws KEY_OWNED when it is. */
  replica(key: Key, callback: () => void): void

  /** Loads a plugin, before `up`; `done` need not be called by one that returns a promise. See avvio. */
  use<Options = Record<string, unknown>>(
    plugin: Plugin<Options>,
    options?: Options | ((upring: Upring) => Options)
  ): Upring
  /** Called when what was `use`d so far is loaded. */
  after(callback: (error: Error | null, done: (error?: Error | null) => void) => void): Upring
  after(): Promise<void>
  /** Called when everything is loaded, before `up`; an error of the start comes here. */
  ready(callback: (error: Error | null, done: (error?: Error | null) => void) => void): void
  ready(): Promise<unknown>
  /**
   * Called by `close`, the last that was registered first, when this node owns nothing any more but its links are still
   * there: the place to wait for data that is being handed over.
   */
  onClose(callback: (upring: Upring, done: () => void) => unknown): Upring
  /** Leaves the ring, lets plugins and handlers finish, and closes all. Twice is as once. */
  close(callback?: ErrorCallback): Promise<void>
}
