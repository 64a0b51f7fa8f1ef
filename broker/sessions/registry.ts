// One connection a client id in the whole cluster. The id hashes onto the ring; its owner knows which node
// holds it now, and has the older connection closed before the newer is granted. When the ring changes,
// each node claims again what it holds; of two holders (after a partition) the newer stays.
import { ShoalError } from '../errors.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Log } from '../runtime/log.ts'

/** A connection that holds a client id. */
export interface ClientHolder {
  /** A newer connection has claimed the client id: close this one (MQTT: 0x8E) before returning. */
  takenOver(): void
}

/** What the registry needs of the cluster. */
export interface RegistryCluster {
  readonly clock: Clock
  readonly log: Log
  readonly nodeId: string
  /** The node that owns a key now; null: none. */
  ownerOf(key: string): string | null
  /** Whether a node is a member; this one is. */
  isMember(nodeId: string): boolean
  /** A stamp later than all that this node has given or heard. */
  stamp(): number
  request(nodeId: string, name: string, body: object): Promise<unknown>
  fire(nodeId: string, name: string, body: object): void
}

const CLAIM_TIMEOUT_MS = 10_000
const RETRY_MS = 50
/** Claims in one request when the ring has changed. */
const CLAIMS_PIECE = 5000

interface Local {
  readonly holder: ClientHolder
  readonly stamp: number
}

interface Held {
  readonly nodeId: string
  readonly stamp: number
}

export interface Claim {
  clientId: string
  stamp: number
}

export class ClientRegistry {
  readonly #cluster: RegistryCluster
  /** Connections of this node. */
  readonly #local = new Map<string, Local>()
  /** Of the client ids that this node owns: who holds them. */
  readonly #held = new Map<string, Held>()
  #closed = false

  constructor(cluster: RegistryCluster) {
    this.#cluster = cluster
  }

  /** Client ids connected to this node. */
  get size(): number {
    return this.#local.size
  }

  /** Settles when no older connection holds the id, on any node. Rejects: TIMEOUT, CLOSED. */
  async claim(clientId: string, holder: ClientHolder): Promise<void> {
    const cluster = this.#cluster
    const older = this.#local.get(clientId)
    const stamp = cluster.stamp()
    this.#local.set(clientId, { holder, stamp })
    if (older !== undefined && older.holder !== holder) older.holder.takenOver()
    const deadline = cluster.clock.now() + CLAIM_TIMEOUT_MS
    for (;;) {
      if (this.#closed) throw new ShoalError('CLOSED', { clientId })
      const owner = cluster.ownerOf(keyOf(clientId))
      try {
        if (owner === cluster.nodeId) return await this.grant({ clientId, stamp }, cluster.nodeId)
        if (owner !== null) {
          await cluster.request(owner, 'client.claim', { clientId, stamp })
          return
        }
      } catch (error) {
        if (!(error instanceof ShoalError) || !error.retryable) throw error
      }
      if (cluster.clock.now() >= deadline) throw new ShoalError('TIMEOUT', { clientId })
      await new Promise<void>(resolve => {
        cluster.clock.after(RETRY_MS, resolve)
      })
    }
  }

  /** The connection is gone. Does nothing when another holds the id by now. */
  release(clientId: string, holder: ClientHolder): void {
    const local = this.#local.get(clientId)
    if (local === undefined || local.holder !== holder) return
    this.#local.delete(clientId)
    const owner = this.#cluster.ownerOf(keyOf(clientId))
    if (owner === this.#cluster.nodeId) this.released({ clientId, stamp: local.stamp })
    else if (owner !== null) this.#cluster.fire(owner, 'client.release', { clientId, stamp: local.stamp })
  }

  /** As owner: `nodeId` wants the id. Settles when the older holder, if any, has let go. Throws OWNER_MOVED. */
  async grant(claim: Claim, nodeId: string): Promise<void> {
    const { clientId, stamp } = claim
    if (this.#cluster.ownerOf(keyOf(clientId)) !== this.#cluster.nodeId)
      throw new ShoalError('OWNER_MOVED', { clientId })
    const older = this.#held.get(clientId)
    if (older !== undefined && older.stamp > stamp) {
      await this.#evictAt(nodeId, claim)
      return
    }
    const held = { nodeId, stamp }
    this.#held.set(clientId, held)
    if (older === undefined || older.nodeId === nodeId) return
    try {
      await this.#evictAt(older.nodeId, { clientId, stamp: older.stamp })
    } catch (error) {
      if (this.#held.get(clientId) === held) this.#held.set(clientId, older)
      throw error
    }
  }

  /** As owner: the holder's connection is gone. */
  released(claim: Claim): void {
    if (this.#held.get(claim.clientId)?.stamp === claim.stamp) this.#held.delete(claim.clientId)
  }

  /** As holder: a newer connection has the id. One that was made since stays. */
  evict(claim: Claim): void {
    const local = this.#local.get(claim.clientId)
    if (local === undefined || local.stamp > claim.stamp) return
    this.#local.delete(claim.clientId)
    local.holder.takenOver()
  }

  /** Claims again, at their owners, the ids held here, and forgets those that are another's to know. */
  ringChanged(): void {
    const { nodeId } = this.#cluster
    for (const clientId of this.#held.keys()) {
      if (this.#cluster.ownerOf(keyOf(clientId)) !== nodeId) this.#held.delete(clientId)
    }
    for (const [owner, claims] of this.#claimsByOwner()) {
      if (owner === nodeId) for (const claim of claims) this.renewed(claim, nodeId)
      else this.#renewAt(owner, claims)
    }
  }

  /** A link to a node is up: it gets the claims that it may have missed. */
  renewWith(nodeId: string): void {
    this.#renewAt(nodeId, this.#claimsByOwner().get(nodeId) ?? [])
  }

  /** As owner: a node still holds what it claimed earlier. */
  renewed(claim: Claim, nodeId: string): void {
    this.grant(claim, nodeId).catch(error =>
      this.#cluster.log.debug({ clientId: claim.clientId, error }, 'claim not renewed')
    )
  }

  #renewAt(owner: string, claims: Claim[]): void {
    for (let at = 0; at < claims.length; at += CLAIMS_PIECE) {
      this.#cluster.fire(owner, 'client.claims', { claims: claims.slice(at, at + CLAIMS_PIECE) })
    }
  }

  #claimsByOwner(): Map<string, Claim[]> {
    const claims = new Map<string, Claim[]>()
    for (const [clientId, { stamp }] of this.#local) {
      const owner = this.#cluster.ownerOf(keyOf(clientId))
      if (owner === null) continue
      const list = claims.get(owner) ?? []
      claims.set(owner, list)
      list.push({ clientId, stamp })
    }
    return claims
  }

  /** A node is gone, and its connections with it. */
  nodeGone(nodeId: string): void {
    for (const [clientId, held] of this.#held) if (held.nodeId === nodeId) this.#held.delete(clientId)
  }

  close(): void {
    this.#closed = true
  }

  async #evictAt(nodeId: string, claim: Claim): Promise<void> {
    if (nodeId === this.#cluster.nodeId) return this.evict(claim)
    try {
      await this.#cluster.request(nodeId, 'client.evict', claim)
    } catch (error) {
      // A node that is gone has no connections; one that is merely late is tried again by the claimer.
      if (this.#cluster.isMember(nodeId)) throw error
    }
  }
}

function keyOf(clientId: string): string {
  return `$session/${clientId}`
}
