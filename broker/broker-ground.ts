// An upring on a broker's own cluster: it shares the broker's links, ring and members, joins and leaves with it, and its
// plugins are loaded before the broker serves. The names of its requests begin with `upring.`; the router's do not.
import { type Cluster, isServing } from './cluster.ts'
import { ShoalError } from './errors.ts'
import type { Link } from './link/link.ts'
import { Ring, type RingNode } from './ring/ring.ts'
import type { Router } from './router/router.ts'
import type { Member } from './swim/member.ts'
import type { Ground, GroundEvents } from './upring/ground.ts'
import { DIRECT, ROUTED } from './upring/routing.ts'
import { HELLO } from './upring/sight.ts'

export interface BrokerGroundOptions {
  readonly name: string
  readonly client: boolean
  readonly replicaPoints: number
}

export class BrokerGround implements Ground {
  readonly #options: BrokerGroundOptions
  readonly #close: () => Promise<void>
  readonly #joined = new Milestone()
  readonly #served = new Milestone()
  readonly #left = new Milestone()
  #cluster: Cluster | null = null
  #router: Router | null = null
  #events: GroundEvents | null = null

  /** `close` closes the broker, and with it this. */
  constructor(options: BrokerGroundOptions, close: () => Promise<void>) {
    this.#options = options
    this.#close = close
  }

  get id(): string {
    return this.#cluster?.self.id ?? ''
  }

  get client(): boolean {
    return this.#options.client
  }

  get ring(): Ring {
    return this.#router?.view.ring ?? this.ringOf([])
  }

  members(): readonly Member[] {
    return this.#cluster?.members() ?? []
  }

  isServing(member: Member): boolean {
    return isServing(member, this.#options.name)
  }

  link(id: string): Link | null {
    return this.#cluster?.link(id) ?? null
  }

  ringOf(nodes: readonly RingNode[]): Ring {
    return new Ring(nodes, this.#options.replicaPoints)
  }

  async start(events: GroundEvents): Promise<void> {
    this.#events = events
    for (const link of this.#cluster?.links() ?? []) events.linkOpened(link)
    await this.#joined.reached
  }

  async serve(): Promise<void> {
    await this.#served.reached
  }

  async join(addresses: readonly string[]): Promise<void> {
    if (this.#cluster === null) throw new ShoalError('CLOSED', { reason: 'not started' })
    await this.#cluster.meet(addresses)
  }

  async leave(): Promise<void> {
    void this.#close()
    await this.#left.reached
  }

  /** The broker closes all. */
  async stop(): Promise<void> {}

  // What the broker tells: its sockets are bound; it has joined; it serves; it is off the ring, or has given up.

  bound(cluster: Cluster, router: Router): void {
    this.#cluster = cluster
    this.#router = router
    for (const name of [ROUTED, DIRECT]) {
      router.control.onRequest(name, (peer, body, reply) => {
        if (this.#events === null) reply.fail(new ShoalError('HANDLER_MISSING', { name }))
        else this.#events.request(peer, name, body, reply)
      })
    }
    for (const name of [ROUTED, DIRECT, HELLO])
      router.control.onFire(name, (peer, body) => this.#events?.fire(peer, name, body))
  }

  joined(): void {
    this.#joined.reach()
  }

  serves(): void {
    this.#served.reach()
  }

  left(): void {
    this.#joined.miss()
    this.#served.miss()
    this.#left.reach()
  }

  changed(): void {
    this.#events?.changed()
  }

  linkOpened(link: Link): void {
    this.#events?.linkOpened(link)
  }
}

/** Something in the life of a broker that comes once, or not at all. */
class Milestone {
  readonly reached: Promise<void>
  #resolve: () => void = () => {}
  #reject: (error: Error) => void = () => {}

  constructor() {
    this.reached = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    // Nobody need wait for it.
    this.reached.catch(() => {})
  }

  reach(): void {
    this.#resolve()
  }

  /** It will not come any more. Does nothing when it has. */
  miss(): void {
    this.#reject(new ShoalError('CLOSED'))
  }
}
