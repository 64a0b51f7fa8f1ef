// The broker as gateways and embedding programs see it. What stands behind it is broker-node.ts.
import { BrokerNode } from './broker-node.ts'
import type { ClusterOptions } from './cluster.ts'
import type { Message, TopicName } from './message.ts'
import type { RouterOptions } from './router/router.ts'
import type { Clock } from './runtime/clock.ts'
import type { Log } from './runtime/log.ts'
import type { Runtime } from './runtime/runtime.ts'
import type { Attachment } from './sessions/attachment.ts'
import { SESSION_LIMITS, type SessionLimits } from './sessions/limits.ts'
import type { ClientHolder } from './sessions/registry.ts'
import type { SessionClient } from './sessions/remote.ts'
import type { AttachRequest } from './sessions/sessions.ts'
import type { SessionWill } from './sessions/will.ts'
import type { Subscriber, Subscription, SubscriptionOptions } from './topics/subscription.ts'
import type { Upring } from './upring/api.ts'

export type { ClientHolder } from './sessions/registry.ts'

export interface BrokerOptions extends ClusterOptions, RouterOptions, SessionLimits {
  /** Leaving, handing over and draining take no longer than this. */
  closeTimeoutMs: number
}

export const defaultOptions: BrokerOptions = {
  name: 'shoal',
  clusterHost: '127.0.0.1',
  clusterPort: 7979,
  advertiseHost: '127.0.0.1',
  base: [],
  client: false,
  preset: 'lan',
  replicaPoints: 100,
  shardLevels: 0,
  topicsMax: 1_000_000,
  retainedMax: 1_000_000,
  retainedBytesMax: 1024 * 1024 * 1024,
  publishWindow: 65_536,
  linkBufferBytesMax: 16 * 1024 * 1024,
  replayMax: 100_000,
  ...SESSION_LIMITS,
  closeTimeoutMs: 10_000
}

export interface Broker {
  /** `host:port` of the cluster address; empty before `start`. */
  readonly id: string
  readonly instance: string
  readonly clock: Clock
  readonly log: Log
  /** True once the node serves: it is on the ring, or is a client node that has joined. */
  readonly ready: boolean
  /** True from the first call of `close`. */
  readonly closing: boolean
  /**
   * The framework on this broker's own ring and links: see upring/README.md. Ask for it before `start`: then its plugins are loaded
   * before the broker serves. It is closed with the broker, and closing it closes the broker.
   */
  readonly upring: Upring

  /** Joins the cluster (or starts one) and settles when the node serves. Rejects: PORT_IN_USE, CLOSED; OPTION_INVALID where strangers could reach the port. */
  start(): Promise<void>
  /** Leaves the ring, hands over, lets links drain, and closes; settles within `closeTimeoutMs`. */
  close(): Promise<void>

  /** The node's one object for a topic. Throws TOPIC_INVALID (empty, wildcard, NUL, too long). Keep it no longer than a connection. */
  topic(name: string): TopicName
  /**
   * Publishes. The message's `topic` comes from `topic()`. For QoS >= 1, `message.receipt` is told once, perhaps before
   * this returns. Returns false when the way to the owner is congested: stop reading from the publisher and go on
   * at `whenDrained`. Never throws.
   */
  publish(message: Message): boolean
  /** Calls `run` once, when no way is congested any more (at the next tick if none is). */
  whenDrained(run: () => void): void

  /**
   * Subscribes; settles when the topic's owner, or for a wildcard filter every owner, has the route. Messages may reach
   * the subscriber before that. The same subscriber and filter again replaces the options. Rejects: FILTER_INVALID,
   * TIMEOUT, CLOSED.
   */
  subscribe(
    subscriber: Subscriber,
    filter: string,
    options: SubscriptionOptions
  ): Promise<{ subscription: Subscription; existed: boolean }>
  /** Delivers all retained messages of the subscription's filter to its subscriber, each topic once. */
  sendRetained(subscription: Subscription): Promise<void>
  /** False if there was no such subscription. */
  unsubscribe(subscriber: Subscriber, filter: string): boolean
  /** Withdraws every subscription of a subscriber that is gone. */
  unsubscribeAll(subscriber: Subscriber): void

  /**
   * Claims a client id if that can be done at once: this node owns the id, and no connection holds it. False: nothing
   * has been done, and `claim` is to be called.
   */
  tryClaim(clientId: string, holder: ClientHolder, will?: SessionWill | null): boolean
  /**
   * Settles when no older connection, on any node, holds the client id. A session that was kept for it is over. The will is
   * published if this node dies before `release`; else that is the holder's business. Rejects: TIMEOUT, CLOSED.
   */
  claim(clientId: string, holder: ClientHolder, will?: SessionWill | null): Promise<void>
  /**
   * `claim` for a client whose session outlives its connection: resumes the session wherever it is, or begins one; what is to be
   * sent to the client goes to `client.port` from `start` on. To be detached, then released. Rejects: TIMEOUT, CLOSED,
   * LIMIT_EXCEEDED.
   */
  attach(
    clientId: string,
    holder: ClientHolder,
    client: SessionClient,
    request: AttachRequest
  ): Promise<Attachment>
  /** The connection is gone. Does nothing when another holds the id by now. */
  release(clientId: string, holder: ClientHolder): void

  /** The id of the node that owns a topic; null while no node serves. Throws TOPIC_INVALID. */
  ownerOf(topic: string): string | null
  status(): BrokerStatus
}

export interface MemberStatus {
  id: string
  instance: string
  state: string
  phase: string
  client: boolean
  incarnation: number
  /** Part of the ring's places that it owns, 0..1. */
  share: number
  self: boolean
}

export interface LinkStatus {
  id: string
  state: string
  bytesIn: number
  bytesOut: number
  buffered: number
}

export interface BrokerStatus {
  id: string
  instance: string
  ready: boolean
  members: MemberStatus[]
  links: LinkStatus[]
  ring: { digest: string; nodes: number; agreed: boolean }
  topics: number
  subscriptions: number
  retained: number
  clients: number
  /** Sessions that this node hosts, which outlive their connections. */
  sessions: number
  /** What is under way between nodes: all 0 when nothing happens. */
  waiting: { publishes: number; deliveries: number; gated: number; kept: number }
  counters: Record<string, number>
}

/** Makes a broker; nothing happens before its `start`. */
export function createBroker(options: Partial<BrokerOptions>, runtime: Runtime): Broker {
  return new BrokerNode({ ...defaultOptions, ...options }, runtime)
}
