// What a link asks of the node it belongs to. The router implements it; a test may implement a part.
// All are called in the order in which the frames arrived, synchronously, and must not throw.

import type { ShoalError } from '../errors.ts'
import type { Message, OriginName, TopicName } from '../message.ts'
import type { Link } from './link.ts'

/** Who is at an end of a link. */
export interface Identity {
  /** `host:port` of the node's cluster address. */
  id: string
  /** New at each start of the process: 16 hexadecimal digits. */
  instance: string
}

export interface DataHandlers {
  /** The node's one object for a topic, made if it is new. Throws TOPIC_INVALID. */
  topic(name: string): TopicName
  /** The node's one object for an instance. */
  origin(instance: string): OriginName
  /** A message for the owner of its topic. `origin` is null at QoS 0. The buffer is the link's chunk, never reused. */
  publish(link: Link, message: Message): void
  /** A message from the owner of its topic, for this node's subscribers. */
  deliver(link: Link, message: Message): void
  /** Stands in the row of deliveries and is counted with those of QoS >= 1. */
  barrier(link: Link): void
  /** The other side has settled messages `first..last` of `origin` that this node sent to it. */
  publishAck(link: Link, origin: OriginName, first: number, last: number, reason: number): void
  /** The other side has taken the first `count` of the deliveries of QoS >= 1 and barriers sent to its instance. */
  deliverAck(link: Link, count: number): void
}

export interface LinkHandlers extends DataHandlers {
  /** A request; settle `reply` once, now or later. */
  request(link: Link, name: string, body: unknown, reply: Reply): void
  /** A request that wants no reply. */
  fire(link: Link, name: string, body: unknown): void
  /** More than `bufferBytesMax / 2` wait to be written (true), or no longer more than an eighth (false). */
  congested(link: Link, congested: boolean): void
  /** The link is closed, for good; every pending request has been settled. Called once. */
  closed(link: Link, reason: ShoalError | null): void
}

export interface Reply {
  /** Streams that came with the request, by name. */
  readonly streams: Readonly<Record<string, import('node:stream').Duplex>>
  send(body: unknown, streams?: Readonly<Record<string, import('node:stream').Stream>>): void
  fail(error: ShoalError): void
}
