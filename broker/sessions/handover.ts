// Sessions go to the new owner of their client ids when the ring changes, some at a time, while their clients stay
// connected and messages come in. Nothing is lost and nothing comes twice, because both nodes are subscribed for a while:
//
//   old owner                                    new owner
//   1. freezes: sends nothing, keeps what comes
//   2. session.prepare ────────────────────────▶ subscribes too, and keeps what comes; waits until every owner of
//                                                topics has seen all that it had sent before taken (session.barrier)
//   3. session.put: state, in flight, queue ───▶ puts what came behind it, but for what the old owner has had
//   4. unsubscribes, and tells the gateways ◀─── has the session
//   5.            gateways attach again, with their connections as they are
//
// If the new owner dies or the ring changes meanwhile, the old one still has everything, and begins again.
import { ShoalError } from '../errors.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Log } from '../runtime/log.ts'
import { type Delivery, nameOf, placeOf } from './delivery.ts'
import type { Hosting } from './hosting.ts'
import {
  integerIn,
  listIn,
  type Place,
  pack,
  placesIn,
  type Record,
  textIn,
  textsIn,
  unpackDelivery,
  unpackHead
} from './packed.ts'
import { Session } from './session.ts'

/** Sessions that move at a time, and the characters of their filters in one request. */
const BATCH = 200
const BATCH_CHARACTERS = 128 * 1024
const TIMEOUT_MS = 20_000
/** How long a gateway may take to say its last word to the old owner. */
const FREEZE_MS = 2000
/** How long the client of a session that has moved may take to be there, before it counts as gone. */
const GRACE_MS = 10_000

export interface HandoverCluster {
  readonly clock: Clock
  readonly log: Log
  readonly nodeId: string
  /** The node that owns a client id; null: none. */
  ownerOf(clientId: string): string | null
  /** Nodes that own topics, this one included. */
  owners(): readonly string[]
  request(nodeId: string, name: string, body: object, timeoutMs: number): Promise<unknown>
  /** Settles when every member has taken all that this node has delivered so far. */
  barrier(): Promise<void>
  /** Where the order of a topic stands, as this node has seen it. */
  placeOf(topic: string): Place
  /** Whether a message has been delivered here, by its name (see `nameOf`). */
  hasTaken(name: string): boolean
  /** The connection of a session: asks its gateway to say no more. Null: it has none. Settles when it has. */
  freeze(session: Session): Promise<{ node: string; id: number }> | null
  /** The gateway is to attach again, or, if it did not work, here as before. Settles when it knows. */
  thaw(session: Session, hasMoved: boolean): Promise<void>
  /** Its gateway has not answered `freeze`: the connection counts as lost. */
  giveUp(session: Session): void
  /** Whether a client whose session ends with its connection has the id. */
  isHeldWithoutSession(clientId: string): boolean
}

interface Came {
  readonly topics: readonly string[]
  readonly names: readonly string[]
}

/** A session on its way here. */
interface Arrival {
  readonly session: Session
  readonly from: string
  readonly flights: { id: number; delivery: Delivery | null }[]
  readonly queue: Delivery[]
  head: Record | null
}

export class Handover {
  readonly #cluster: HandoverCluster
  readonly #hosting: Hosting
  readonly #arrivals = new Map<string, Arrival>()
  #running: Promise<void> = Promise.resolve()

  constructor(cluster: HandoverCluster, hosting: Hosting) {
    this.#cluster = cluster
    this.#hosting = hosting
  }

  /** Moves what is not this node's any more; settles when that is done, or cannot be done now. Never rejects. */
  run(): Promise<void> {
    this.#running = this.#running.then(() => this.#run())
    return this.#running
  }

  /** What was on its way from a node that is gone does not come. */
  nodeGone(nodeId: string): void {
    for (const arrival of this.#arrivals.values()) if (arrival.from === nodeId) this.#abandon(arrival)
  }

  async #run(): Promise<void> {
    const { nodeId, log } = this.#cluster
    const byOwner = new Map<string, Session[]>()
    for (const session of this.#hosting.values()) {
      const owner = this.#cluster.ownerOf(session.clientId)
      if (owner === null || owner === nodeId) continue
      const sessions = byOwner.get(owner)
      if (sessions === undefined) byOwner.set(owner, [session])
      else sessions.push(session)
    }
    for (const [owner, sessions] of byOwner) {
      for (let at = 0; at < sessions.length; ) {
        const batch: Session[] = []
        for (let characters = 0; at < sessions.length && batch.length < BATCH; at++) {
          for (const filter of sessions[at]!.subscriptions.keys()) characters += filter.length + 32
          if (batch.length > 0 && characters > BATCH_CHARACTERS) break
          batch.push(sessions[at]!)
        }
        if (this.#cluster.ownerOf(batch[0]!.clientId) !== owner) break
        try {
          await this.#move(owner, batch)
        } catch (error) {
          log.warn({ owner, sessions: batch.length, error }, 'sessions not handed over')
          break
        }
      }
    }
  }

  // ── the old owner ──

  async #move(owner: string, batch: readonly Session[]): Promise<void> {
    const connections = await Promise.all(batch.map(session => this.#freeze(session)))
    const moved = new Set<Session>()
    try {
      const came = await this.#prepare(owner, batch)
      for (const [i, session] of batch.entries()) {
        if (session.isEnded) continue
        const { topics, names } = came.get(session.clientId) ?? { topics: [], names: [] }
        const seen = {
          places: topics.map(topic => this.#cluster.placeOf(topic)),
          names: names.filter(name => this.#cluster.hasTaken(name))
        }
        for (const records of pack(session, seen, connections[i]!, this.#cluster.clock.now()))
          await this.#request(owner, 'session.put', { records })
        moved.add(session)
        this.#hosting.leave(session)
      }
    } finally {
      await Promise.all(batch.map(session => this.#cluster.thaw(session, moved.has(session))))
    }
  }

  async #freeze(session: Session): Promise<{ node: string; id: number } | null> {
    const { clock } = this.#cluster
    const frozen = this.#cluster.freeze(session)
    if (frozen === null) return null
    let late: { cancel(): void } | null = null
    const connection = await Promise.race([
      frozen,
      new Promise<null>(resolve => {
        late = clock.after(FREEZE_MS, () => resolve(null))
      })
    ])
    ;(late as { cancel(): void } | null)?.cancel()
    if (connection === null) this.#cluster.giveUp(session)
    return connection
  }

  /** What the new owner has already, by client id: topics, and names of messages. */
  async #prepare(owner: string, batch: readonly Session[]): Promise<Map<string, Came>> {
    const sessions = batch.map(({ clientId, subscriptions }) => ({
      clientId,
      subscriptions: [...subscriptions].map(([filter, options]) => ({ filter, options }))
    }))
    const reply = await this.#request(owner, 'session.prepare', { sessions })
    const came = new Map<string, Came>()
    for (const each of listIn(reply, 'sessions') as Record[]) {
      came.set(textIn(each, 'clientId'), { topics: textsIn(each, 'topics'), names: textsIn(each, 'names') })
    }
    return came
  }

  async #request(to: string, name: string, body: object): Promise<Record> {
    return ((await this.#cluster.request(to, name, body, TIMEOUT_MS)) ?? {}) as Record
  }

  // ── the new owner ──

  /** `session.prepare`. */
  async prepare(from: string, body: Record): Promise<object> {
    const arrivals: Arrival[] = []
    const subscribed: Promise<unknown>[] = []
    for (const each of listIn(body, 'sessions') as Record[]) {
      const clientId = textIn(each, 'clientId')
      const before = this.#arrivals.get(clientId)
      if (before !== undefined) this.#abandon(before)
      const session = new Session(clientId, this.#hosting)
      const arrival: Arrival = { session, from, flights: [], queue: [], head: null }
      this.#arrivals.set(clientId, arrival)
      arrivals.push(arrival)
      unpackHead({ ...emptyHead, subscriptions: listIn(each, 'subscriptions') }, session, 0)
      subscribed.push(this.#subscribe(session))
    }
    await Promise.all(subscribed)
    await this.#barrier()
    const sessions = arrivals.map(({ session: { clientId, queue } }) => ({
      clientId,
      topics: [...new Set([...queue].map(({ message }) => message.topic.name))],
      names: [...queue].flatMap(({ message }) => nameOf(message) ?? [])
    }))
    return { sessions }
  }

  async #subscribe(session: Session): Promise<void> {
    const all = [...session.subscriptions].map(([filter, options]) =>
      this.#hosting.subscribe(session, { filter, options, retainHandling: 2 })
    )
    await Promise.all(all)
  }

  /** Whatever any owner of topics had sent, to anyone, has been taken. */
  async #barrier(): Promise<void> {
    const { nodeId } = this.#cluster
    await Promise.all(
      this.#cluster
        .owners()
        .map(owner =>
          owner === nodeId ? this.#cluster.barrier() : this.#request(owner, 'session.barrier', {})
        )
    )
  }

  /** `session.put`. */
  async put(from: string, body: Record): Promise<object> {
    for (const record of listIn(body, 'records') as Record[]) {
      const arrival = this.#arrivals.get(textIn(record, 'clientId'))
      if (arrival === undefined || arrival.from !== from)
        throw new ShoalError('OWNER_MOVED', { session: 'not prepared' })
      await this.#take(arrival, record)
    }
    return {}
  }

  async #take(arrival: Arrival, record: Record): Promise<void> {
    const now = this.#cluster.clock.now()
    switch (record['kind']) {
      case 'head':
        arrival.head = record
        unpackHead(record, arrival.session, now)
        // What has been subscribed to since.
        return await this.#subscribe(arrival.session)
      case 'released':
        arrival.flights.push({ id: integerIn(record, 'id'), delivery: null })
        return
      case 'message': {
        const delivery = unpackDelivery(record, name => this.#hosting.topic(name), now)
        const id = integerIn(record, 'id')
        if (id === 0) arrival.queue.push(delivery)
        else arrival.flights.push({ id, delivery })
        return
      }
      case 'end':
        return this.#arrived(arrival)
      default:
        throw new ShoalError('BAD_REQUEST', { expected: 'a record' })
    }
  }

  #arrived(arrival: Arrival): void {
    const { session, flights, queue, head } = arrival
    if (head === null) throw new ShoalError('BAD_REQUEST', { expected: 'a head' })
    const { clientId } = session
    const connection = (head['connection'] ?? null) as { node: string; id: number } | null
    this.#arrivals.delete(clientId)
    const here = this.#hosting.get(clientId)
    const had = [...queue, ...deliveriesOf(flights)].map(({ message }) => message)
    const known = new Set([
      ...had.map(placeOf),
      ...had.flatMap(each => nameOf(each) ?? []),
      ...textsIn(head, 'names')
    ])
    const since = newer(session.queue.takeAll(), known, placesIn(head))
    // A client that has connected meanwhile: its session is the one that counts, and gets what waited for the older.
    if (here !== undefined) for (const delivery of [...queue, ...since]) here.enqueue(delivery)
    if (here !== undefined || this.#cluster.isHeldWithoutSession(clientId)) {
      this.#hosting.leave(session)
      return
    }
    session.inflight.restore(flights, integerIn(head, 'last'))
    for (const delivery of [...queue, ...since]) session.enqueue(delivery)
    if (connection !== null) session.awaitReturn(GRACE_MS)
    this.#hosting.adopt(session)
    // What the old owner has had may still be on its way here.
    session.known = known
    const forget = (): void => {
      session.known = null
    }
    this.#barrier().then(forget, forget)
  }

  #abandon({ session }: Arrival): void {
    this.#arrivals.delete(session.clientId)
    this.#hosting.leave(session)
  }
}

const emptyHead: Record = {
  received: [],
  waiting: [],
  expirySeconds: 0,
  will: null,
  willMs: -1,
  expiresMs: -1
}

function deliveriesOf(flights: readonly { delivery: Delivery | null }[]): Delivery[] {
  return flights.flatMap(({ delivery }) => (delivery === null ? [] : [delivery]))
}

/** Of what came here, what the old owner has not had: is not `known`, and was not sent to the client there before. */
function newer(
  came: readonly Delivery[],
  known: ReadonlySet<string>,
  seen: ReadonlyMap<string, Place>
): Delivery[] {
  return came.filter(({ message }) => {
    const { topic, epoch, offset } = message
    const place = seen.get(topic.name)
    const wasSeen =
      place !== undefined && (epoch < place.epoch || (epoch === place.epoch && offset <= place.offset))
    return !wasSeen && !known.has(placeOf(message)) && !known.has(nameOf(message) ?? '')
  })
}
