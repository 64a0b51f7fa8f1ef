// What bounds the sessions of a node, and what is counted of them.
import type { Overflow } from './queue.ts'

export interface SessionLimits {
  /** Sessions that this node hosts; a client that wants one more is refused. */
  sessionsMax: number
  /** The longest that a session without connection is kept; 4,294,967,295: for ever. */
  sessionExpiryMaxSeconds: number
  /** Messages that may wait for one session, by count and by bytes. */
  sessionQueueMax: number
  sessionQueueBytesMax: number
  /** Which one goes when there are more. */
  sessionOverflow: Overflow
  /** Whether messages of QoS 0 wait for a client that is not connected. */
  queueQosZero: boolean
}

/** Seconds that mean for ever. MQTT 5.0, 3.1.2.11.2. */
export const NEVER_SECONDS = 4_294_967_295

export const SESSION_LIMITS: Readonly<SessionLimits> = {
  sessionsMax: 100_000,
  sessionExpiryMaxSeconds: NEVER_SECONDS,
  sessionQueueMax: 65_536,
  sessionQueueBytesMax: 8 * 1024 * 1024,
  sessionOverflow: 'drop-oldest',
  queueQosZero: false
}

/** Plain integers, incremented in place. */
export class SessionCounters {
  sessionsCreated = 0
  sessionsResumed = 0
  sessionsExpired = 0
  /** Clients refused at `sessionsMax`. */
  sessionsRefused = 0
  /** Messages that found no room, or had to make some. */
  sessionDropped = 0
  /** Messages of QoS 0 for a client that was not connected, or took them too slowly. */
  sessionDroppedQos0 = 0
  /** Messages that waited longer than their expiry interval. */
  sessionDroppedExpired = 0
  sessionWillsPublished = 0
  /** Sessions that went to another node, or came from one. */
  sessionsMovedOut = 0
  sessionsMovedIn = 0
}
