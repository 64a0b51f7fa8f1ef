// An upring on a node of its own: a place in a cluster, and a ring of all members that serve. Data frames of brokers
// mean nothing here, and the name of the ring keeps brokers away.
import { Cluster, type ClusterHandlers, type ClusterOptions, isServing } from '../cluster.ts'
import { ShoalError } from '../errors.ts'
import type { Link } from '../link/link.ts'
import { Ring, type RingNode } from '../ring/ring.ts'
import type { Runtime } from '../runtime/runtime.ts'
import type { Member } from '../swim/member.ts'
import type { Ground, GroundEvents } from './ground.ts'

export interface ClusterGroundOptions {
  readonly cluster: ClusterOptions
  readonly replicaPoints: number
  /** How long a joining node waits for links to all members, some of which may be dying. */
  readonly joinTimeoutMs: number
}

export class ClusterGround implements Ground {
  readonly client: boolean
  readonly #options: ClusterGroundOptions
  readonly #runtime: Runtime
  #starting: Promise<Cluster> | null = null
  #cluster: Cluster | null = null
  #events: GroundEvents | null = null
  #ring: Ring
  #hasJoined = false
  #isLeaving = false

  constructor(options: ClusterGroundOptions, runtime: Runtime) {
    this.client = options.cluster.client
    this.#options = options
    this.#runtime = runtime
    this.#ring = this.ringOf([])
  }

  get id(): string {
    return this.#cluster?.self.id ?? ''
  }

  get ring(): Ring {
    return this.#ring
  }

  members(): readonly Member[] {
    return this.#cluster?.members() ?? []
  }

  isServing(member: Member): boolean {
    return isServing(member, this.#options.cluster.name)
  }

  link(id: string): Link | null {
    return this.#cluster?.link(id) ?? null
  }

  ringOf(nodes: readonly RingNode[]): Ring {
    return new Ring(nodes, this.#options.replicaPoints)
  }

  async start(events: GroundEvents): Promise<void> {
    this.#events = events
    this.#starting = Cluster.start(this.#options.cluster, this.#runtime, () => ({
      handlers: handlersOf(events),
      events: { membersChanged: () => this.#membersChanged() }
    }))
    const cluster = await this.#starting
    this.#cluster = cluster
    this.#mustLive()
    await cluster.join()
    await cluster.linked(this.#options.joinTimeoutMs)
    this.#mustLive()
    this.#hasJoined = true
    this.#membersChanged()
  }

  async serve(): Promise<void> {
    this.#mustLive()
    if (!this.client) await this.#started().setPhase('serving')
    this.#mustLive()
  }

  async join(addresses: readonly string[]): Promise<void> {
    const cluster = this.#started()
    await cluster.meet(addresses)
    await cluster.linked(this.#options.joinTimeoutMs)
    // The ring follows the members at the end of the tick.
    await new Promise<void>(resolve => this.#runtime.clock.defer(resolve))
  }

  async leave(): Promise<void> {
    this.#isLeaving = true
    if (this.#cluster?.phase === 'serving') await this.#cluster.setPhase('leaving')
    // Whoever is still on the way in goes no further.
    else if (!this.#hasJoined) await this.#cluster?.stop()
  }

  async stop(): Promise<void> {
    this.#isLeaving = true
    const cluster = await this.#starting?.catch(() => null)
    await cluster?.stop()
  }

  #membersChanged(): void {
    const serving = this.members().filter(member => this.isServing(member))
    const isSame =
      serving.length === this.#ring.size && serving.every(({ id }) => this.#ring.ids.includes(id))
    if (!isSame) {
      this.#ring = this.ringOf(serving.map(({ id }) => ({ id })))
      this.#runtime.log.info({ nodes: this.#ring.size, ring: this.#ring.digest }, 'ring changed')
    }
    this.#events?.changed()
  }

  #started(): Cluster {
    if (this.#cluster === null) throw new ShoalError('CLOSED', { reason: 'not started' })
    return this.#cluster
  }

  #mustLive(): void {
    if (this.#isLeaving) throw new ShoalError('CLOSED')
  }
}

function handlersOf(events: GroundEvents): ClusterHandlers {
  return {
    opened: link => events.linkOpened(link),
    request: (link, name, body, reply) => events.request(link.peer, name, body, reply),
    fire: (link, name, body) => events.fire(link.peer, name, body),
    congested: () => {},
    closed: () => {},
    origin: instance => ({ instance }),
    topic: name => {
      throw new ShoalError('TOPIC_INVALID', { topic: name, reason: 'no broker' })
    },
    publish: () => {},
    deliver: () => {},
    barrier: () => {},
    publishAck: () => {},
    deliverAck: () => {}
  }
}
