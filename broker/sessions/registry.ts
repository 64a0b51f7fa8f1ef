// One connection a client id in the whole cluster. The id hashes onto the ring; its owner knows which node
// holds it now, and has the older connection closed before the newer is granted. When the ring changes,
// each node claims again what it holds; of two holders (after a partition) the newer stays. With the claim goes the will
// of a client whose session ends with its connection: if the holder's node dies, the owner has it published.
import { ShoalError } from '../errors.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Log } from '../runtime/log.ts'
import { type SessionWill, willOf } from './will.ts'

/** A connection that holds a client id. */
export interface ClientHolder {
  /**
   * A newer connection has claimed the client id: close this one (MQTT: 0x8E) before returning. The newer is granted when
   * the promise settles. Called again when another still waits for that.
   */
  takenOver(): void | Promise<void>
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
  /** Asks the owner for a claim; settles with its stamp. */
  claim(nodeId: string, claim: Claim): Promise<number>
  /** A client's node has died: its will is to be published. */
  orphaned(will: SessionWill): void
  request(nodeId: string, name: string, body: object): Promise<unknown>
  fire(nodeId: string, name: string, body: object): void
}

const CLAIM_TIMEOUT_MS = 10_000
const RETRY_MS = 50
/** Characters of client ids in one message when the ring has changed: an id may have 65,535, a frame 16 MiB. */
const PIECE_CHARACTERS = 128 * 1024

interface Local {
  readonly holder: ClientHolder
  /** Names this claim among those of this node. */
  readonly id: number
  /** Orders claims of one client id; given by the owner. */
  stamp: number
  readonly will: SessionWill | null
  readonly keeps: boolean
}

interface Held {
  readonly nodeId: string
  readonly id: number
  readonly stamp: number
  /** Settles when the holder before has let go; rejects if that could not be had. Null: there was none. */
  granted: Promise<void> | null
  /** The holder before, until it has let go. */
  before: Held | null
  readonly will: SessionWill | null
  readonly keeps: boolean
}

export interface Claim {
  clientId: string
  id: number
  stamp: number
  will: SessionWill | null
  /** The client has a session that outlives the connection. */
  keeps: boolean
}

/** Asks an owner for a claim; settles with its stamp. */
export type Ask = (owner: string, claim: Claim) => Promise<number>

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

  /** Claims if nobody else is to be asked: the id is owned here, and nobody holds it. Else false, and nothing is done. */
  tryClaim(clientId: string, holder: ClientHolder, will: SessionWill | null = null): boolean {
    const { nodeId } = this.#cluster
    if (this.#closed || this.#local.has(clientId) || this.#held.has(clientId)) return false
    if (this.#cluster.ownerOf(keyOf(clientId)) !== nodeId) return false
    const stamp = this.#cluster.stamp()
    this.#local.set(clientId, { holder, id: stamp, stamp, will, keeps: false })
    this.#held.set(clientId, { nodeId, id: stamp, stamp, granted: null, before: null, will, keeps: false })
    return true
  }

  /**
   * Settles when no older connection holds the id, on any node; or nothing is held for this one any more, since it was
   * released or taken over meanwhile. Rejects: TIMEOUT, CLOSED.
   */
  async claim(
    clientId: string,
    holder: ClientHolder,
    will: SessionWill | null = null,
    ask: Ask = (owner, claim) => this.#ask(owner, claim),
    keeps = false
  ): Promise<void> {
    const cluster = this.#cluster
    const older = this.#local.get(clientId)
    const stamp = cluster.stamp()
    const local: Local = { holder, id: stamp, stamp, will, keeps }
    this.#local.set(clientId, local)
    if (older !== undefined && older.holder !== holder) await older.holder.takenOver()
    const deadline = cluster.clock.now() + CLAIM_TIMEOUT_MS
    for (;;) {
      if (this.#closed) throw new ShoalError('CLOSED', { clientId })
      // One that is tried again must not overtake a newer one.
      if (this.#local.get(clientId) !== local) return
      const owner = cluster.ownerOf(keyOf(clientId))
      try {
        if (owner !== null) {
          local.stamp = await ask(owner, { clientId, id: local.id, stamp, will, keeps })
          if (this.#local.get(clientId) !== local) this.#tellReleased(clientId, local)
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
    this.#tellReleased(clientId, local)
  }

  #tellReleased(clientId: string, { id, stamp }: Local): void {
    const owner = this.#cluster.ownerOf(keyOf(clientId))
    const claim = { clientId, id, stamp, will: null, keeps: false }
    if (owner === this.#cluster.nodeId) this.released(claim, owner)
    else if (owner !== null) this.#cluster.fire(owner, 'client.release', claim)
  }

  /**
   * As owner: a new connection at `nodeId` wants the id. Settles with the claim's stamp when all older holders have let go.
   * The order in which claims come here is what counts, not the clocks of the nodes. Throws OWNER_MOVED.
   */
  async grant(claim: Claim, nodeId: string): Promise<number> {
    const { clientId, id, will, keeps } = claim
    this.#checkOwned(clientId)
    const before = this.#held.get(clientId) ?? null
    if (before !== null && before.nodeId === nodeId && before.id === id) {
      await before.granted
      return before.stamp
    }
    const stamp = Math.max(claim.stamp, (before?.stamp ?? 0) + 1)
    const held: Held = { nodeId, id, stamp, granted: null, before, will, keeps }
    this.#held.set(clientId, held)
    if (before === null) return stamp
    held.granted = this.#evictHeld(clientId, before).then(() => {
      held.before = null
    })
    try {
      await held.granted
    } catch (error) {
      if (this.#held.get(clientId) === held) this.#held.set(clientId, before)
      throw error
    }
    return stamp
  }

  /** As owner: whether this claim is the one that was granted last. */
  isHeldBy(claim: Claim, nodeId: string): boolean {
    const held = this.#held.get(claim.clientId)
    return held !== undefined && held.id === claim.id && held.nodeId === nodeId
  }

  /** As owner: whether another claim than that one holds the id. */
  isHeldByOther(clientId: string, claim: { node: string; id: number } | null): boolean {
    const held = this.#held.get(clientId)
    return held !== undefined && (claim === null || held.id !== claim.id || held.nodeId !== claim.node)
  }

  /** As owner: whether a client whose session ends with its connection holds the id. */
  isHeldWithoutSession(clientId: string): boolean {
    return this.#held.get(clientId)?.keeps === false
  }

  /** As owner: a node still holds what it claimed earlier, from another owner perhaps. The younger of two stays. */
  renewed(claim: Claim, nodeId: string): void {
    const { clientId, id, stamp, will, keeps } = claim
    if (this.#cluster.ownerOf(keyOf(clientId)) !== this.#cluster.nodeId) return
    const held = this.#held.get(clientId)
    if (held !== undefined && held.nodeId === nodeId && held.id === id) return
    const rival = { nodeId, id, stamp, granted: null, before: null, will, keeps }
    const isYounger = held === undefined || stamp > held.stamp
    if (isYounger) this.#held.set(clientId, rival)
    const loser = isYounger ? held : rival
    if (loser === undefined) return
    this.#evictHeld(clientId, loser).catch(error =>
      this.#cluster.log.debug({ clientId, error }, 'rival not closed')
    )
  }

  /** As owner: the holder's connection is gone. */
  released(claim: Claim, nodeId: string): void {
    const held = this.#held.get(claim.clientId)
    if (held?.id === claim.id && held.nodeId === nodeId && held.before === null)
      this.#held.delete(claim.clientId)
  }

  /** As holder: a newer connection has the id. */
  async evict(claim: Claim): Promise<void> {
    const local = this.#local.get(claim.clientId)
    if (local === undefined || local.id !== claim.id) return
    await local.holder.takenOver()
    if (this.#local.get(claim.clientId) === local) this.#local.delete(claim.clientId)
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

  #ask(owner: string, claim: Claim): Promise<number> {
    return owner === this.#cluster.nodeId ? this.grant(claim, owner) : this.#cluster.claim(owner, claim)
  }

  #renewAt(owner: string, claims: Claim[]): void {
    for (let at = 0; at < claims.length; ) {
      const from = at
      for (let characters = 0; at < claims.length && characters < PIECE_CHARACTERS; at++) {
        characters += claims[at]!.clientId.length + (claims[at]!.will?.payload.length ?? 0) + 64
      }
      this.#cluster.fire(owner, 'client.claims', { claims: claims.slice(from, at) })
    }
  }

  #claimsByOwner(): Map<string, Claim[]> {
    const claims = new Map<string, Claim[]>()
    for (const [clientId, { id, stamp, will, keeps }] of this.#local) {
      const owner = this.#cluster.ownerOf(keyOf(clientId))
      if (owner === null) continue
      const list = claims.get(owner) ?? []
      claims.set(owner, list)
      list.push({ clientId, id, stamp, will, keeps })
    }
    return claims
  }

  /** A node is gone, and its connections with it. */
  nodeGone(nodeId: string): void {
    for (const [clientId, held] of this.#held) {
      if (held.nodeId !== nodeId) continue
      this.#held.delete(clientId)
      if (held.will !== null) this.#cluster.orphaned(held.will)
    }
  }

  close(): void {
    this.#closed = true
  }

  /** Closes a holder's connection, and that of the one before it if it has not let go yet. */
  async #evictHeld(clientId: string, held: Held): Promise<void> {
    const { nodeId, id, stamp } = held
    await this.#evictAt(nodeId, { clientId, id, stamp, will: null, keeps: false })
    if (held.before === null) return
    const isGranted = await held.granted?.then(
      () => true,
      () => false
    )
    if (isGranted !== true && held.before !== null) await this.#evictHeld(clientId, held.before)
  }

  async #evictAt(nodeId: string, claim: Claim): Promise<void> {
    if (nodeId === this.#cluster.nodeId) return await this.evict(claim)
    try {
      await this.#cluster.request(nodeId, 'client.evict', claim)
    } catch (error) {
      // A node that is gone has no connections; one that is merely late is tried again by the claimer.
      if (this.#cluster.isMember(nodeId)) throw error
    }
  }

  #checkOwned(clientId: string): void {
    if (this.#cluster.ownerOf(keyOf(clientId)) !== this.#cluster.nodeId)
      throw new ShoalError('OWNER_MOVED', { clientId })
  }
}

/** Where on the ring a client id stands. */
export function keyOf(clientId: string): string {
  return `$session/${clientId}`
}

/** A claim as another node sends it. Throws BAD_REQUEST. */
export function claimOf(body: Readonly<Record<string, unknown>>): Claim {
  const { clientId, id, stamp, will, keeps } = body
  if (typeof clientId !== 'string' || !Number.isSafeInteger(id) || !Number.isSafeInteger(stamp))
    throw new ShoalError('BAD_REQUEST', { expected: 'a claim' })
  return { clientId, id: id as number, stamp: stamp as number, will: willOf(will), keeps: keeps === true }
}
