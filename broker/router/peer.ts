// Another node, as the router knows it while it is a member: one object for one instance, whether its
// link is up or not. What was sent and not yet confirmed is kept here, and outlives a link that breaks.
//
//   deliveries of QoS >= 1 to it, and barriers, in one numbered row (`session` names the row):
//
//     taken by it       sent or to be sent, in `inflight`
//   ──────────────────┬─────────────────────────────────────▶
//                     ▲ acked
import type { Link } from '../link/link.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Origin } from './origin.ts'
import type { Pending } from './pending.ts'

export class Peer {
  readonly id: string
  readonly origin: Origin
  /** This node itself. Has no link. */
  readonly isSelf: boolean
  /** A gateway only: owns nothing, and needs no routes. */
  client = false
  link: Link | null = null
  /** Declared dead or gone for good; a new instance, or its return, is another Peer. */
  gone = false

  /** We had lost sight of it, or it of us: until all agree, it may have been ordering topics of any owner. */
  returned = false
  /** Known from gossip, not only by its link. */
  wasMember = false

  /** Publishes sent to it so far, and how many of them it had confirmed with its last answer to a fence. */
  published = 0
  publishedConfirmed = 0
  /** The same for publishes of others that were passed on to it. */
  passedOn = 0
  passedOnConfirmed = 0
  /** It asks its publishers to slow down. */
  pressed = false
  /** Since when our link to it has too many bytes waiting, in ms of the clock; -1: it has not. */
  congestedSince = -1

  /** Both sides have told where the rows of deliveries stand; before that nothing is delivered. */
  resumed = false
  readonly session: number
  acked = 0
  inflight: Pending[] = []
  inflightHead = 0
  /** How many at the end of `inflight` have not been written, because the link is down or full. */
  unsent = 0

  /** The digest of the ring for which it has said: all that I have for you is sent. -1: none. */
  saidIn = -1
  /** Rows changed in this tick, to be sent in one request. */
  readonly rowsToAdd = new Set<string>()
  readonly rowsToRemove = new Set<string>()
  rowsChanged = false
  /** Number of the newest batch of rows for it, and of the newest it has confirmed (with all before); the first is the announcement. */
  rowsQueued = 1
  rowsIn = 0
  /** The newest batch confirmed, and the batch that was the last announcement of all rows; that must be in for any to count. */
  rowsConfirmed = 0
  announcement = 0
  isAnnounced = false
  #rowWaiters: { sequence: number; done: () => void }[] = []
  /** Rows of its own that it has announced so far, while an announcement in pieces is under way. */
  rowsAnnounced: Set<string> | null = null
  /** How often in a row the digests of its rows disagreed. */
  rowsMismatches = 0

  constructor(id: string, origin: Origin, session: number, isSelf: boolean) {
    this.id = id
    this.origin = origin
    this.session = session
    this.isSelf = isSelf
    origin.users++
  }

  get instance(): string {
    return this.origin.instance
  }

  get inflightCount(): number {
    return this.inflight.length - this.inflightHead
  }

  /** Settles when it has all rows queued so far, or is gone: true; at the deadline (in ms of `clock`): false. */
  rowsSettled(clock: Clock, deadline: number): Promise<boolean> {
    if (this.gone || this.rowsIn >= this.rowsQueued) return Promise.resolve(true)
    return new Promise(resolve => {
      const timer = clock.after(deadline - clock.now(), () => resolve(false))
      const done = (): void => {
        timer.cancel()
        resolve(true)
      }
      this.#rowWaiters.push({ sequence: this.rowsQueued, done })
    })
  }

  wakeRowWaiters(): void {
    const waiters = this.#rowWaiters
    if (waiters.length === 0) return
    this.#rowWaiters = waiters.filter(({ sequence, done }) => {
      if (!this.gone && sequence > this.rowsIn) return true
      done()
      return false
    })
  }

  /** Takes the oldest of what is in flight. */
  shiftInflight(): Pending {
    const pending = this.inflight[this.inflightHead]!
    this.inflight[this.inflightHead++] = undefined as unknown as Pending
    this.acked++
    if (this.unsent > this.inflightCount) this.unsent = this.inflightCount
    if (this.inflightHead === this.inflight.length) {
      this.inflight = []
      this.inflightHead = 0
    } else if (this.inflightHead >= 4096 && this.inflightHead * 2 >= this.inflight.length) {
      this.inflight = this.inflight.slice(this.inflightHead)
      this.inflightHead = 0
    }
    return pending
  }
}
