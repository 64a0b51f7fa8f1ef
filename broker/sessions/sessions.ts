// Sessions as a broker has them: who holds a client id (registry.ts), the sessions that this node hosts (hosting.ts), and the
// ways to those that other nodes host (channel.ts). The owner of a client id does all of it, so that a connect is one round
// trip: the older connection is closed, then the session attached, then CONNACK.
import { ShoalError } from '../errors.ts'
import type { Link } from '../link/link.ts'
import { type Attachment, LocalAttachment } from './attachment.ts'
import { Channel, type Operation } from './channel.ts'
import { Hosting, type HostingBroker } from './hosting.ts'
import type { SessionLimits } from './limits.ts'
import { integerAt, OPERATION } from './operations.ts'
import { type Claim, type ClientHolder, ClientRegistry, type RegistryCluster } from './registry.ts'
import { RemoteAttachment, RemotePort, type SessionClient } from './remote.ts'
import type { SessionPort, SessionTerms } from './session.ts'
import { type SessionWill, willOf } from './will.ts'

type Body = Readonly<Record<string, unknown>>

/** Requests between nodes, by name; see router/control.ts. */
export interface SessionsControl {
  onRequest(name: string, handler: (peer: { readonly id: string }, body: Body) => unknown): void
  onFire(name: string, handler: (peer: { readonly id: string }, body: Body) => void): void
}

export interface SessionsCluster extends Omit<RegistryCluster, 'orphaned' | 'claim' | 'request' | 'fire'> {
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
  readonly #channels = new Map<string, Channel>()
  /** Of clients of this node: by the node that hosts the session, and the number of the connection. */
  readonly #attachments = new Map<string, Map<number, RemoteAttachment>>()
  /** Of clients of other nodes: by that node, and its number of the connection. */
  readonly #ports = new Map<string, Map<number, RemotePort>>()

  constructor(cluster: SessionsCluster, broker: HostingBroker, limits: Readonly<SessionLimits>) {
    this.#cluster = cluster
    this.#broker = broker
    this.hosting = new Hosting(broker, limits)
    const request = async (to: string, name: string, body: object): Promise<unknown> =>
      (await this.#linkTo(to).request(name, body)).body
    this.registry = new ClientRegistry({
      ...cluster,
      orphaned: will => this.hosting.publishWill(will),
      claim: async (to, claim) => this.#stampOf(await request(to, 'client.claim', claim)),
      request,
      fire: (to, name, body) => cluster.link(to)?.fire(name, body)
    })
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
    control.onRequest('session.operations', (peer, body) => this.#received(peer.id, body))
  }

  /** For a session that ends with its connection: as `Broker.tryClaim`. */
  tryClaim(clientId: string, holder: ClientHolder, will: SessionWill | null): boolean {
    return this.hosting.get(clientId) === undefined && this.registry.tryClaim(clientId, holder, will)
  }

  /** For a session that ends with its connection: as `Broker.claim`. What there was of another session is over. */
  async claim(clientId: string, holder: ClientHolder, will: SessionWill | null): Promise<void> {
    const { nodeId } = this.#cluster
    await this.registry.claim(clientId, holder, will, async (owner, claim) => {
      if (owner === nodeId) return await this.#claimHere(claim, owner)
      return this.#stampOf((await this.#linkTo(owner).request('client.claim', claim)).body)
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
    let attachment: Attachment | null = null
    await this.registry.claim(clientId, holder, null, async (owner, claim) => {
      const attached =
        owner === nodeId
          ? await this.#attachHere(claim, owner, client.port, request)
          : await this.#attachThere(claim, owner, client, request)
      attachment = attached.attachment
      return attached.stamp
    })
    if (attachment === null) throw new ShoalError('CLOSED', { clientId })
    return attachment
  }

  /** The link to a node is up; what stood on one before is over. */
  linkOpened(nodeId: string): void {
    const channel = this.#channels.get(nodeId)
    if (channel !== undefined && channel.link !== this.#cluster.link(nodeId)) this.linkLost(nodeId)
    this.registry.renewWith(nodeId)
  }

  /** The link to a node is gone: its clients are away, and ours that have their sessions there must connect again. */
  linkLost(nodeId: string): void {
    this.#channels.get(nodeId)?.close()
    this.#channels.delete(nodeId)
    const attachments = this.#attachments.get(nodeId)
    this.#attachments.delete(nodeId)
    for (const attachment of attachments?.values() ?? []) attachment.lost()
    const ports = this.#ports.get(nodeId)
    this.#ports.delete(nodeId)
    for (const port of ports?.values() ?? []) void port.attachment?.detach(true, null)
  }

  nodeGone(nodeId: string): void {
    this.linkLost(nodeId)
    this.registry.nodeGone(nodeId)
  }

  close(): void {
    this.registry.close()
    this.hosting.close()
  }

  async #claimHere(claim: Claim, nodeId: string): Promise<number> {
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
    const stamp = await this.registry.grant(claim, nodeId)
    // A newer connection has come while the older was closing, or the id has another owner now.
    if (!this.registry.isHeldBy(claim, nodeId)) throw new ShoalError('OWNER_MOVED', { clientId })
    const { session, present } = this.hosting.attach(clientId, port, request.clean, request)
    return { stamp, attachment: new LocalAttachment(this.hosting, session, port, present) }
  }

  async #attachThere(
    claim: Claim,
    owner: string,
    client: SessionClient,
    { clean, expirySeconds, will }: AttachRequest
  ): Promise<{ stamp: number; attachment: Attachment }> {
    const channel = this.#channelTo(owner)
    const { clock } = this.#cluster
    const attachment = new RemoteAttachment(claim.id, channel, client, clock, name =>
      this.#broker.topic(name)
    )
    const attachments = entryOf(this.#attachments, owner)
    attachments.set(claim.id, attachment)
    attachment.whenDetached = () => attachments.delete(claim.id)
    const { inflightMax } = client.port
    try {
      const body = { ...claim, will, clean, expirySeconds, inflightMax }
      const reply = (await channel.link.request('session.attach', body)).body as Body
      attachment.granted(reply['present'] === true, integerOf(reply, 'expirySeconds'))
      return { stamp: this.#stampOf(reply), attachment }
    } catch (error) {
      attachments.delete(claim.id)
      throw error
    }
  }

  /** A client of another node. */
  async #attachFor(nodeId: string, body: Body): Promise<object> {
    const channel = this.#channelTo(nodeId)
    const claim = claimOf(body)
    const port = new RemotePort(claim.id, channel, integerOf(body, 'inflightMax'))
    const request = {
      clean: body['clean'] === true,
      expirySeconds: integerOf(body, 'expirySeconds'),
      will: claim.will
    }
    const { stamp, attachment } = await this.#attachHere({ ...claim, will: null }, nodeId, port, request)
    if (this.#channels.get(nodeId) !== channel) {
      void attachment.detach(true, null)
      throw new ShoalError('PEER_GONE', { peer: nodeId })
    }
    port.attachment = attachment
    entryOf(this.#ports, nodeId).set(claim.id, port)
    return { stamp, present: attachment.present, expirySeconds: attachment.expirySeconds }
  }

  #received(nodeId: string, { operations }: Body): object {
    if (!Array.isArray(operations)) throw new ShoalError('BAD_REQUEST', { expected: 'operations' })
    for (const operation of operations as Operation[]) {
      try {
        this.#receive(nodeId, operation)
      } catch (error) {
        if (!(error instanceof ShoalError)) throw error
        this.#cluster.log.warn({ peer: nodeId, error }, 'malformed operation on a session')
      }
    }
    return {}
  }

  #receive(nodeId: string, operation: Operation): void {
    const id = integerAt(operation, 1)
    if (integerAt(operation, 0) < OPERATION.START) {
      this.#attachments.get(nodeId)?.get(id)?.receive(operation)
      return
    }
    const ports = this.#ports.get(nodeId)
    const isOver = ports?.get(id)?.receive(operation, name => this.#broker.topic(name))
    if (isOver === true) ports?.delete(id)
  }

  #channelTo(nodeId: string): Channel {
    const link = this.#linkTo(nodeId)
    const known = this.#channels.get(nodeId)
    if (known?.link === link) return known
    if (known !== undefined) this.linkLost(nodeId)
    const channel = new Channel(link, this.#cluster.clock)
    this.#channels.set(nodeId, channel)
    return channel
  }

  #linkTo(nodeId: string): Link {
    const link = this.#cluster.link(nodeId)
    if (link === null) throw new ShoalError('PEER_UNKNOWN', { peer: nodeId })
    return link
  }

  #stampOf(reply: unknown): number {
    const stamp = integerOf((reply ?? {}) as Body, 'stamp')
    this.#cluster.merge(stamp)
    return stamp
  }
}

function entryOf<T>(map: Map<string, Map<number, T>>, key: string): Map<number, T> {
  let entry = map.get(key)
  if (entry === undefined) {
    entry = new Map()
    map.set(key, entry)
  }
  return entry
}

function claimOf(body: Body): Claim {
  const { clientId, will } = body
  if (typeof clientId !== 'string')
    throw new ShoalError('BAD_REQUEST', { expected: 'a string', name: 'clientId' })
  return { clientId, id: integerOf(body, 'id'), stamp: integerOf(body, 'stamp'), will: willOf(will) }
}

function integerOf(body: Body, name: string): number {
  const value = body[name]
  if (!Number.isSafeInteger(value)) throw new ShoalError('BAD_REQUEST', { expected: 'an integer', name })
  return value as number
}
