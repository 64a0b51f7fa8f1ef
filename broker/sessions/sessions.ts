// Sessions as a broker has them: who holds a client id (registry.ts), the sessions that this node hosts (hosting.ts), and the
// ways to those that other nodes host (channels.ts). The owner of a client id does all of it, so that a connect is one round
// trip: the older connection is closed, then the session attached, then CONNACK.
import { ShoalError } from '../errors.ts'
import type { Link } from '../link/link.ts'
import { type Attachment, LocalAttachment } from './attachment.ts'
import { Channels } from './channels.ts'
import { Handover, type HandoverCluster } from './handover.ts'
import { Hosting, type HostingBroker } from './hosting.ts'
import { insist } from './insist.ts'
import type { SessionLimits } from './limits.ts'
import { MovableAttachment } from './movable.ts'
import { integerIn, textIn } from './packed.ts'
import {
  type Claim,
  type ClientHolder,
  ClientRegistry,
  claimOf,
  keyOf,
  type RegistryCluster
} from './registry.ts'
import { RemoteAttachment, RemotePort, type SessionClient } from './remote.ts'
import type { Session, SessionPort, SessionTerms } from './session.ts'
import type { SessionWill } from './will.ts'

/** How long a client that connects waits for a change of the ring to be over, so that its session has arrived. */
const ATTACH_WAIT_MS = 5000
/** The same of one that keeps no session. */
const CLAIM_WAIT_MS = 1000
/** How long a connection looks for the session that has moved. */
const FOLLOW_MS = 10_000
const SETTLE_MS = 30_000

/** A connection of this node, and what it holds its session by. */
interface Hold {
  readonly claim: Claim
  readonly client: SessionClient
  movable: MovableAttachment | null
  /** Of a session that this node hosts. */
  local: LocalAttachment | null
}

type Body = Readonly<Record<string, unknown>>

/** Requests between nodes, by name; see router/control.ts. */
export interface SessionsControl {
  onRequest(name: string, handler: (peer: { readonly id: string }, body: Body) => unknown): void
  onFire(name: string, handler: (peer: { readonly id: string }, body: Body) => void): void
}

export interface SessionsCluster
  extends Omit<RegistryCluster, 'orphaned' | 'claim' | 'request' | 'fire'>,
    Pick<HandoverCluster, 'owners' | 'barrier' | 'placeOf' | 'hasTaken'> {
  /** All members agree on the ring: every session is where it belongs. */
  readonly isSettled: boolean
  /** Settles when it is so, or after `timeoutMs`. */
  settled(timeoutMs: number): Promise<void>
  /** Null: there is none now. */
  link(nodeId: string): Link | null
  /** A stamp from another node. */
  merge(stamp: number): void
}

/** How a client wants its session. */
export interface AttachRequest extends SessionTerms {
  /** What there was is to end. */
  readonly clean: boolean
}

export class Sessions {
  readonly hosting: Hosting
  readonly registry: ClientRegistry
  readonly #cluster: SessionsCluster
  readonly #broker: HostingBroker
  readonly #channels: Channels
  /** Of clients of this node: the holds on sessions that this node hosts. */
  readonly #local = new Map<SessionPort, Hold>()
  readonly #handover: Handover

  constructor(cluster: SessionsCluster, broker: HostingBroker, limits: Readonly<SessionLimits>) {
    this.#cluster = cluster
    this.#broker = broker
    this.hosting = new Hosting(broker, limits)
    this.#channels = new Channels(cluster, name => broker.topic(name))
    const request = async (to: string, name: string, body: object): Promise<unknown> =>
      (await this.#channels.linkTo(to).request(name, body)).body
    this.registry = new ClientRegistry({
      ...cluster,
      orphaned: will => this.hosting.publishWill(will),
      claim: async (to, claim) => this.#stampOf(await request(to, 'client.claim', claim)),
      request,
      fire: (to, name, body) => cluster.link(to)?.fire(name, body)
    })
    this.hosting.whenSettledElsewhere = (clientId, id, reason) => void this.#settle(clientId, id, reason)
    this.#handover = new Handover(
      {
        clock: cluster.clock,
        log: cluster.log,
        nodeId: cluster.nodeId,
        ownerOf: clientId => cluster.ownerOf(keyOf(clientId)),
        owners: () => cluster.owners(),
        request: async (to, name, body, timeoutMs) =>
          (await this.#channels.linkTo(to).request(name, body, { timeoutMs })).body,
        barrier: () => cluster.barrier(),
        placeOf: topic => cluster.placeOf(topic),
        hasTaken: name => cluster.hasTaken(name),
        freeze: session => this.#freeze(session),
        thaw: (session, hasMoved) => this.#thaw(session, hasMoved),
        giveUp: session => this.#giveUp(session),
        isHeldWithoutSession: clientId => this.registry.isHeldWithoutSession(clientId)
      },
      this.hosting
    )
  }

  handle(control: SessionsControl): void {
    const { registry } = this
    control.onRequest('client.claim', async (peer, body) => ({
      stamp: await this.#claimHere(claimOf(body), peer.id)
    }))
    control.onRequest('client.evict', async (_peer, body) => {
      await registry.evict(claimOf(body))
      return {}
    })
    control.onFire('client.release', (peer, body) => registry.released(claimOf(body), peer.id))
    control.onFire('client.claims', (peer, { claims }) => {
      if (!Array.isArray(claims)) throw new ShoalError('BAD_REQUEST', { expected: 'a list', name: 'claims' })
      for (const claim of claims) registry.renewed(claimOf(claim as Body), peer.id)
    })
    control.onRequest('session.attach', (peer, body) => this.#attachFor(peer.id, body))
    control.onRequest('session.prepare', (peer, body) => this.#handover.prepare(peer.id, body))
    control.onRequest('session.put', (peer, body) => this.#handover.put(peer.id, body))
    control.onRequest('session.barrier', async () => {
      await this.#cluster.barrier()
      return {}
    })
    control.onRequest('session.settled', (_peer, body) => this.#settled(body))
    control.onRequest('session.operations', (peer, body) =>
      this.#channels.received(peer.id, body['operations'])
    )
  }

  /** For a session that ends with its connection: as `Broker.tryClaim`. */
  tryClaim(clientId: string, holder: ClientHolder, will: SessionWill | null): boolean {
    const mayBeKept = !this.#cluster.isSettled || this.hosting.get(clientId) !== undefined
    return !mayBeKept && this.registry.tryClaim(clientId, holder, will)
  }

  /** For a session that ends with its connection: as `Broker.claim`. What there was of another session is over. */
  async claim(clientId: string, holder: ClientHolder, will: SessionWill | null): Promise<void> {
    const { nodeId } = this.#cluster
    await this.registry.claim(clientId, holder, will, async (owner, claim) => {
      if (owner === nodeId) return await this.#claimHere(claim, owner)
      return this.#stampOf((await this.#channels.linkTo(owner).request('client.claim', claim)).body)
    })
  }

  /** As `Broker.attach`. */
  async attach(
    clientId: string,
    holder: ClientHolder,
    client: SessionClient,
    request: AttachRequest
  ): Promise<Attachment> {
    const { nodeId } = this.#cluster
    const attached: { last: Hold | null } = { last: null }
    const release = (): void => void this.#local.delete(client.port)
    const ask = async (owner: string, claim: Claim): Promise<number> => {
      const hold: Hold = { claim, client, movable: null, local: null }
      attached.last = hold
      if (owner !== nodeId) {
        const { stamp, attachment } = await this.#attachThere(hold, owner, request)
        hold.movable = new MovableAttachment(attachment, release)
        return stamp
      }
      const { stamp, attachment } = await this.#attachHere(claim, owner, client.port, request)
      hold.movable = new MovableAttachment(attachment, release)
      hold.local = attachment
      this.#local.set(client.port, hold)
      return stamp
    }
    await this.registry.claim(clientId, holder, null, ask, true)
    const movable = attached.last?.movable ?? null
    if (movable === null) throw new ShoalError('CLOSED', { clientId })
    return movable
  }

  /** The ring has changed: what is not this node's any more goes to its owner. Settles when it has, or cannot now. Never rejects. */
  handOver(): Promise<void> {
    return this.#handover.run()
  }

  linkOpened(nodeId: string): void {
    this.#channels.opened(nodeId)
    this.registry.renewWith(nodeId)
  }

  linkLost(nodeId: string): void {
    this.#channels.lost(nodeId)
  }

  nodeGone(nodeId: string): void {
    this.linkLost(nodeId)
    this.#handover.nodeGone(nodeId)
    this.registry.nodeGone(nodeId)
  }

  close(): void {
    this.registry.close()
    this.hosting.close()
  }

  async #claimHere(claim: Claim, nodeId: string): Promise<number> {
    if (!this.#cluster.isSettled) await this.#cluster.settled(CLAIM_WAIT_MS)
    const stamp = await this.registry.grant(claim, nodeId)
    if (this.registry.isHeldBy(claim, nodeId)) this.hosting.discard(claim.clientId)
    return stamp
  }

  async #attachHere(
    claim: Claim,
    nodeId: string,
    port: SessionPort,
    request: AttachRequest
  ): Promise<{ stamp: number; attachment: LocalAttachment }> {
    const { clientId } = claim
    if (!this.#cluster.isSettled) await this.#cluster.settled(ATTACH_WAIT_MS)
    const stamp = await this.registry.grant(claim, nodeId)
    // A newer connection has come while the older was closing, or the id has another owner now.
    if (!this.registry.isHeldBy(claim, nodeId)) throw new ShoalError('OWNER_MOVED', { clientId })
    const { session, present } = this.hosting.attach(clientId, port, request.clean, request)
    return { stamp, attachment: new LocalAttachment(this.hosting, session, port, present) }
  }

  async #attachThere(
    hold: Hold,
    owner: string,
    request: AttachRequest | null
  ): Promise<{ stamp: number; attachment: Attachment }> {
    const { claim, client } = hold
    const { clean, expirySeconds, will } = request ?? { clean: false, expirySeconds: 0, will: null }
    const channel = this.#channels.to(owner)
    const { clock } = this.#cluster
    const attachment = new RemoteAttachment(claim.id, channel, client, clock, name =>
      this.#broker.topic(name)
    )
    const forget = (): void => this.#channels.removeAttachment(owner, claim.id, attachment)
    this.#channels.addAttachment(owner, claim.id, attachment)
    attachment.whenDetached = forget
    attachment.whenLost = () => hold.movable?.lost()
    attachment.whenMoving = () => hold.movable?.freeze()
    attachment.whenMoved = hasMoved => {
      if (!hasMoved) return hold.movable?.moved(attachment)
      forget()
      void this.#follow(hold)
    }
    const { inflightMax } = client.port
    try {
      const body = { ...claim, will, clean, expirySeconds, inflightMax, resumes: request === null }
      const reply = (await channel.link.request('session.attach', body)).body as Body
      attachment.granted(reply['present'] === true, integerIn(reply, 'expirySeconds'))
      return { stamp: this.#stampOf(reply), attachment }
    } catch (error) {
      forget()
      throw error
    }
  }

  /** A client of another node. */
  async #attachFor(nodeId: string, body: Body): Promise<object> {
    const channel = this.#channels.to(nodeId)
    const claim = claimOf(body)
    const port = new RemotePort(nodeId, claim.id, channel, integerIn(body, 'inflightMax'))
    const request = {
      clean: body['clean'] === true,
      expirySeconds: integerIn(body, 'expirySeconds'),
      will: claim.will
    }
    const mine = { ...claim, will: null }
    const { stamp, attachment } =
      body['resumes'] === true
        ? await this.#resumeHere(mine, nodeId, port)
        : await this.#attachHere(mine, nodeId, port, request)
    if (!this.#channels.isOpen(nodeId, channel)) {
      void attachment.detach(true, null)
      throw new ShoalError('PEER_GONE', { peer: nodeId })
    }
    port.attachment = attachment
    this.#channels.addPort(port)
    return { stamp, present: attachment.present, expirySeconds: attachment.expirySeconds }
  }

  /** A connection follows its session here. Throws OWNER_MOVED while that is on its way, CLOSED if there is a newer one. */
  async #resumeHere(
    claim: Claim,
    nodeId: string,
    port: SessionPort
  ): Promise<{ stamp: number; attachment: LocalAttachment }> {
    const { clientId, id } = claim
    if (this.registry.isHeldByOther(clientId, { node: nodeId, id }))
      throw new ShoalError('CLOSED', { clientId })
    const stamp = await this.registry.grant(claim, nodeId)
    const session = this.hosting.get(clientId)
    if (session === undefined || !this.registry.isHeldBy(claim, nodeId))
      throw new ShoalError('OWNER_MOVED', { clientId })
    session.returned(port)
    return { stamp, attachment: new LocalAttachment(this.hosting, session, port, true) }
  }

  // ── sessions that move while their clients are connected ──

  #freeze(session: Session): Promise<{ node: string; id: number }> | null {
    session.freeze()
    const { port } = session
    if (port === null) return null
    if (port instanceof RemotePort) {
      return port.freeze().then(async () => {
        await port.attachment?.idle()
        return { node: port.nodeId, id: port.id }
      })
    }
    const hold = this.#local.get(port)
    if (hold === undefined) return null
    hold.movable?.freeze()
    const id = hold.claim.id
    const idle = hold.local?.idle() ?? Promise.resolve()
    return idle.then(() => ({ node: this.#cluster.nodeId, id }))
  }

  /** Its gateway does not answer: the connection counts as lost. */
  #giveUp(session: Session): void {
    const { port } = session
    if (port === null) return
    session.thaw()
    session.detach(port, true)
    session.freeze()
  }

  async #thaw(session: Session, hasMoved: boolean): Promise<void> {
    const { port } = session
    session.thaw()
    if (port === null) return
    if (port instanceof RemotePort) {
      if (hasMoved) this.#channels.removePort(port)
      return await port.thaw(hasMoved)
    }
    const hold = this.#local.get(port)
    if (hold === undefined) return
    if (hasMoved) {
      this.#local.delete(port)
      void this.#follow(hold)
    } else if (hold.local !== null) hold.movable?.moved(hold.local)
  }

  /** Attaches again, where the session has gone; the client notices nothing. If that cannot be had it must connect again. */
  async #follow(hold: Hold): Promise<void> {
    const { claim, client, movable } = hold
    try {
      const attachment = await insist(this.#cluster, claim.clientId, FOLLOW_MS, async owner => {
        hold.local = null
        if (owner !== this.#cluster.nodeId) return (await this.#attachThere(hold, owner, null)).attachment
        hold.local = (await this.#resumeHere(claim, owner, client.port)).attachment
        this.#local.set(client.port, hold)
        return hold.local
      })
      movable?.moved(attachment)
    } catch (error) {
      this.#cluster.log.info({ client: claim.clientId, error }, 'session not followed')
      movable?.lost()
      client.lost()
    }
  }

  /** Tells the owner of a session that was here when it published at QoS 2 how that ended. */
  async #settle(clientId: string, id: number, reason: number): Promise<void> {
    const body = { clientId, id, reason }
    const tell = async (owner: string): Promise<void> => {
      if (owner === this.#cluster.nodeId) this.#settled(body)
      else await this.#channels.linkTo(owner).request('session.settled', body)
    }
    await insist(this.#cluster, clientId, SETTLE_MS, tell).catch(error =>
      this.#cluster.log.warn({ client: clientId, error }, 'session not found')
    )
  }

  #settled(body: Body): object {
    const session = this.hosting.get(textIn(body, 'clientId'))
    if (session === undefined) throw new ShoalError('OWNER_MOVED')
    session.published(integerIn(body, 'id'), integerIn(body, 'reason'))
    return {}
  }

  #stampOf(reply: unknown): number {
    const stamp = integerIn((reply ?? {}) as Body, 'stamp')
    this.#cluster.merge(stamp)
    return stamp
  }
}
