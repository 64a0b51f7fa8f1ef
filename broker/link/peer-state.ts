// What is known of one peer while there is, or should be, a link to it.
import type { ShoalError } from '../errors.ts'
import type { Timer } from '../runtime/clock.ts'
import type { Handshake, Hello } from './handshake.ts'
import type { Link } from './link.ts'

/** A connection that this side opens because the peer is wanted. */
export interface Dial {
  /** Null while the connection is being opened. */
  handshake: Handshake | null
}

/** A handshake that is under way: we have sent a HELLO numbered `attempt` to `theirs`. */
export interface Arrival {
  readonly attempt: number
  readonly theirs: Hello
}

/** Someone who waits for a link to the peer, however it comes about. */
export interface Waiter {
  opened(link: Link): void
  failed(error: ShoalError): void
}

export class PeerState {
  readonly id: string
  isWanted = false
  link: Link | null = null
  /** The number of our HELLO on `link`, and of theirs. */
  ourAttempt = 0
  theirAttempt = 0
  openedAt = 0
  dial: Dial | null = null
  /** Connections of the peer that we have said HELLO on and that are not READY. */
  readonly arrivals = new Set<Arrival>()
  readonly waiters = new Set<Waiter>()
  retry: Timer | null = null
  /** Dials in a row that led to nothing. */
  failures = 0

  constructor(id: string) {
    this.id = id
  }

  /** Nothing is known, and nothing is wanted, that would be worth keeping. */
  get isIdle(): boolean {
    const isConnected = this.link !== null || this.dial !== null || this.arrivals.size > 0
    return !this.isWanted && !isConnected && this.waiters.size === 0 && this.retry === null
  }

  hasArrivalOf(instance: string): boolean {
    for (const arrival of this.arrivals) if (arrival.theirs.instance === instance) return true
    return false
  }

  /** Whether our HELLO of that number is on a connection that still stands, open or not. */
  stands(attempt: number): boolean {
    if (this.link !== null && this.ourAttempt === attempt) return true
    for (const arrival of this.arrivals) if (arrival.attempt === attempt) return true
    return false
  }
}
