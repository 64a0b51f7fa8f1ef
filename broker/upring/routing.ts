// Brings a request to the owner of its key, wherever that is, and again to the next one when the owner dies or the
// key moves meanwhile. Each request is settled exactly once: by its answer, by an error, or by its deadline.
//
//              ┌────────────── the ring changes, a link opens, or a while has passed ──────────────┐
//              ▼                                                                                    │
//   send ──▶ attempt ──▶ this node owns it: dispatch ──▶ settled                                 waiting
//              │  └────▶ another one does: its link ────▶ settled, or it died or does not own it ───▲
//              └───────▶ nobody does, or there is no link ──────────────────────────────────────────┘
import { ShoalError } from '../errors.ts'
import type { Link } from '../link/link.ts'
import type { Clock, Timer } from '../runtime/clock.ts'
import type { Answered, Dispatch } from './dispatch.ts'
import { decodeReply, destroyStreams, localError, putStreams, RequestError, takeStreams } from './envelope.ts'
import type { Ground } from './ground.ts'
import type { ReceivedStreams } from './message.ts'

/** Names of requests and fires on links: to the owner of the key, and to whoever is asked. */
export const ROUTED = 'upring.routed'
export const DIRECT = 'upring.direct'

/** So often a request is tried before it fails with what the last try failed with. */
const ATTEMPTS_MAX = 32
/** Pauses between tries, when nothing happens that makes another one worth while: doubled from the first to the last. */
const PAUSE_MS = 20
const PAUSE_MS_MAX = 500
/** A `fire` that comes to a node which does not own its key is passed on so often. */
const HOPS_MAX = 2

/** What another owner, or the same one a little later, may do better. A node that is asked by name has no substitute. */
const RETRIED_ROUTED: ReadonlySet<string> = new Set([
  'PEER_GONE',
  'PEER_UNKNOWN',
  'LINK_FULL',
  'OWNER_MOVED',
  'NO_OWNER'
])
const RETRIED_DIRECT: ReadonlySet<string> = new Set(['PEER_UNKNOWN', 'LINK_FULL'])

/** Where a request goes: to the owner of a key, or to a node by its id. */
export type Destination = { readonly key: unknown } | { readonly peer: string }

export interface RoutingCounters {
  local: number
  remote: number
  retried: number
  timedOut: number
  /** Fires that were passed on to the owner, and that were given up after too many hops. */
  passedOn: number
  strayed: number
}

interface Parcel {
  readonly message: object
  readonly isFire: boolean
  /** Of the key; 0 with a `peer`. */
  readonly hash: number
  readonly peer: string | null
  readonly hops: number
  /** In ms of the clock. */
  readonly deadline: number
  readonly settled: Answered
  attempts: number
  timer: Timer | null
  isSettled: boolean
  /** Why it waits. */
  lastError: ShoalError | null
}

export interface RoutingParts {
  ground: Ground
  dispatch: Dispatch
  clock: Clock
  /** The place of a key on the ring. Throws BAD_REQUEST. */
  hash(key: unknown): number
  /** Requests and fires that are not settled; one more is LIMIT_EXCEEDED. */
  requestsMax: number
}

export class Routing {
  readonly counters: RoutingCounters = {
    local: 0,
    remote: 0,
    retried: 0,
    timedOut: 0,
    passedOn: 0,
    strayed: 0
  }
  readonly #parts: RoutingParts
  readonly #open = new Set<Parcel>()
  readonly #waiting = new Set<Parcel>()
  #isReady = false
  #isClosed = false

  constructor(parts: RoutingParts) {
    this.#parts = parts
  }

  /** Requests and fires of this node that are not settled. */
  get size(): number {
    return this.#open.size
  }

  /** The ring is known: what was sent before goes out now. */
  ready(): void {
    this.#isReady = true
    this.wake()
  }

  /** The ring has changed or a link has opened: whatever waits tries again. */
  wake(): void {
    if (!this.#isReady || this.#waiting.size === 0) return
    for (const parcel of [...this.#waiting]) this.#attempt(parcel)
  }

  /** Everything fails with CLOSED. */
  close(): void {
    this.#isClosed = true
    for (const parcel of [...this.#open]) this.#settle(parcel, new ShoalError('CLOSED'), undefined)
  }

  /** Never throws; `settled` is called once, in a later tick, after `timeoutMs` at the latest. */
  request(message: object, to: Destination, timeoutMs: number, settled: Answered): void {
    this.#send(message, false, to, 0, timeoutMs, settled)
  }

  /** As `request`; settled when the message has been handed to a handler or a link. It may be lost after that. */
  fire(message: object, to: Destination, timeoutMs: number, settled: Answered, hops = 0): void {
    this.#send(message, true, to, hops, timeoutMs, settled)
  }

  /** A routed `fire` of another node. */
  pass(message: object, hash: number, hops: number, timeoutMs: number): void {
    if (hops > HOPS_MAX) {
      this.counters.strayed++
      return
    }
    this.counters.passedOn++
    this.fire(message, { key: hash }, timeoutMs, () => {}, hops)
  }

  #send(
    message: object,
    isFire: boolean,
    to: Destination,
    hops: number,
    timeoutMs: number,
    settled: Answered
  ): void {
    const { requestsMax } = this.#parts
    let parcel: Parcel
    try {
      if (this.#isClosed) throw new ShoalError('CLOSED')
      if (this.#open.size >= requestsMax)
        throw new ShoalError('LIMIT_EXCEEDED', { limit: 'requests', max: requestsMax })
      parcel = this.#parcel(message, isFire, to, hops, timeoutMs, settled)
    } catch (error) {
      destroyStreams(message, error as Error)
      process.nextTick(settled, error as Error, undefined)
      return
    }
    this.#open.add(parcel)
    if (this.#isReady) this.#attempt(parcel)
    else this.#wait(parcel, new ShoalError('NO_OWNER', { reason: 'not joined' }), timeoutMs)
  }

  /** Throws BAD_REQUEST. */
  #parcel(
    message: object,
    isFire: boolean,
    to: Destination,
    hops: number,
    timeoutMs: number,
    settled: Answered
  ): Parcel {
    const isDirect = 'peer' in to
    return {
      message,
      isFire,
      hash: isDirect ? 0 : this.#parts.hash(to.key),
      peer: isDirect ? to.peer : null,
      hops,
      deadline: this.#parts.clock.now() + timeoutMs,
      settled,
      attempts: 0,
      timer: null,
      isSettled: false,
      lastError: null
    }
  }

  #attempt(parcel: Parcel): void {
    this.#waiting.delete(parcel)
    parcel.timer?.cancel()
    parcel.timer = null
    const { ground, clock } = this.#parts
    const leftMs = parcel.deadline - clock.now()
    if (leftMs <= 0) return this.#timedOut(parcel)
    parcel.attempts++
    const owner = parcel.peer ?? this.#ownerOf(parcel.hash)
    if (owner === undefined) return this.#failed(parcel, new ShoalError('NO_OWNER'))
    if (owner === ground.id) return this.#local(parcel, leftMs)
    const link = ground.link(owner)
    if (link === null || link.isClosed) this.#failed(parcel, new ShoalError('PEER_UNKNOWN', { peer: owner }))
    else this.#remote(parcel, link, leftMs)
  }

  #local(parcel: Parcel, leftMs: number): void {
    const { ground, dispatch, clock } = this.#parts
    this.counters.local++
    process.nextTick(() => {
      if (parcel.isSettled) return
      // The key may have moved within this very tick.
      if (parcel.peer === null && this.#ownerOf(parcel.hash) !== ground.id)
        return this.#failed(parcel, new ShoalError('OWNER_MOVED'))
      if (parcel.isFire) {
        dispatch.run(parcel.message, null)
        return this.#settle(parcel, null, undefined)
      }
      dispatch.run(parcel.message, (error, body) =>
        process.nextTick(() => this.#answeredHere(parcel, error, body))
      )
    })
    parcel.timer = clock.after(leftMs, () => this.#timedOut(parcel))
  }

  #ownerOf(hash: number): string | undefined {
    const { ring } = this.#parts.ground
    return ring.ids[ring.ownerIndex(hash)]
  }

  #answeredHere(parcel: Parcel, error: Error | null, body: unknown): void {
    if (parcel.isSettled) destroyStreams(body, new ShoalError('CLOSED', { request: 'settled already' }))
    else if (error === null) this.#settle(parcel, null, body)
    else if (error instanceof ShoalError && error.code === 'OWNER_MOVED') this.#failed(parcel, error)
    else this.#settle(parcel, localError(error, body), body)
  }

  #remote(parcel: Parcel, link: Link, leftMs: number): void {
    this.counters.remote++
    const name = parcel.peer === null ? ROUTED : DIRECT
    const { body, streams } = takeStreams(parcel.message)
    const hasStreams = Object.keys(streams).length > 0
    if (parcel.isFire) return this.#fire(parcel, link, name, body, hasStreams)
    link.request(name, body, { timeoutMs: leftMs, streams }).then(
      response => this.#answered(parcel, response.body, response.streams),
      error => {
        // Streams that were given away cannot be given to another node.
        if (hasStreams) this.#settle(parcel, error, undefined)
        else this.#failed(parcel, error)
      }
    )
  }

  #fire(parcel: Parcel, link: Link, name: string, message: unknown, hasStreams: boolean): void {
    if (hasStreams)
      return this.#failed(parcel, new ShoalError('BAD_REQUEST', { fire: 'cannot carry streams' }))
    const { dropped } = link
    try {
      link.fire(name, { message, hops: parcel.hops })
    } catch (error) {
      return this.#failed(parcel, error as Error)
    }
    if (link.dropped > dropped) this.#failed(parcel, new ShoalError('LINK_FULL', { peer: link.peer.id }))
    else process.nextTick(() => this.#settle(parcel, null, undefined))
  }

  #answered(parcel: Parcel, value: unknown, streams: ReceivedStreams): void {
    let body: unknown
    try {
      body = putStreams(decodeReply(value), streams)
    } catch (error) {
      destroyStreams({ streams }, error as Error)
      return this.#settle(parcel, error as Error, error instanceof RequestError ? error.reply : undefined)
    }
    if (parcel.isSettled) destroyStreams(body, new ShoalError('CLOSED', { request: 'settled already' }))
    this.#settle(parcel, null, body)
  }

  /** It did not get there, or nobody knows. */
  #failed(parcel: Parcel, error: Error): void {
    if (parcel.isSettled) return
    const { clock } = this.#parts
    const retried = parcel.peer === null ? RETRIED_ROUTED : RETRIED_DIRECT
    const mayRetry = error instanceof ShoalError && retried.has(error.code) && this.#mayCome(parcel)
    if (!mayRetry || parcel.attempts >= ATTEMPTS_MAX) {
      process.nextTick(() => this.#settle(parcel, error, undefined))
      return
    }
    this.counters.retried++
    parcel.timer?.cancel()
    const pauseMs = Math.min(PAUSE_MS_MAX, PAUSE_MS * 2 ** Math.min(10, parcel.attempts - 1))
    this.#wait(parcel, error, Math.min(pauseMs, parcel.deadline - clock.now()))
  }

  /** A node that is no member is not waited for. */
  #mayCome({ peer }: Parcel): boolean {
    return peer === null || this.#parts.ground.members().some(({ id }) => id === peer)
  }

  #wait(parcel: Parcel, why: ShoalError, pauseMs: number): void {
    parcel.lastError = why
    this.#waiting.add(parcel)
    parcel.timer = this.#parts.clock.after(Math.max(0, pauseMs), () => this.#attempt(parcel))
  }

  #timedOut(parcel: Parcel): void {
    if (parcel.isSettled) return
    this.counters.timedOut++
    const { lastError, attempts } = parcel
    const after = lastError === null ? {} : { after: lastError.code }
    this.#settle(parcel, new ShoalError('TIMEOUT', { attempts, ...after }, lastError ?? undefined), undefined)
  }

  #settle(parcel: Parcel, error: Error | null, body: unknown): void {
    if (parcel.isSettled) return
    parcel.isSettled = true
    this.#open.delete(parcel)
    this.#waiting.delete(parcel)
    parcel.timer?.cancel()
    if (error !== null) destroyStreams(parcel.message, error)
    parcel.settled(error, body)
  }
}
