// What other nodes ask of this one. A request that was routed by its key is taken only from whom sees the ring as
// this node does: so a key has one owner even while the ring changes. One that was sent to this very node is not asked.
import { ShoalError } from '../errors.ts'
import type { Reply } from '../link/handlers.ts'
import type { Log } from '../runtime/log.ts'
import type { Dispatch } from './dispatch.ts'
import { encodeReply, putStreams, takeStreams } from './envelope.ts'
import type { Ground } from './ground.ts'
import { DIRECT, ROUTED, type Routing } from './routing.ts'

export interface InboundParts {
  ground: Ground
  dispatch: Dispatch
  routing: Routing
  log: Log
  /** Throws BAD_REQUEST. */
  hash(key: unknown): number
  requestTimeoutMs: number
}

/** Requests to this very node that came before its plugins were there; one more is refused with LINK_FULL. */
const EARLY_MAX = 1000

export class Inbound {
  readonly #parts: InboundParts
  #early: (() => void)[] | null = []

  constructor(parts: InboundParts) {
    this.#parts = parts
  }

  /** All patterns are there: requests may be handled. */
  ready(): void {
    const early = this.#early ?? []
    this.#early = null
    for (const run of early) run()
  }

  /** Never throws. */
  request(name: string, body: unknown, reply: Reply): void {
    if (name !== ROUTED && name !== DIRECT) return reply.fail(new ShoalError('HANDLER_MISSING', { name }))
    try {
      const message = putStreams(recordOf(body), reply.streams) as Record<string, unknown>
      if (name === ROUTED && !this.#owns(message['key'])) throw new ShoalError('OWNER_MOVED')
      this.#when(() => this.#handle(message, reply))
    } catch (error) {
      // Such as from a hash of the user's own.
      reply.fail(error instanceof ShoalError ? error : new ShoalError('HANDLER_FAILED', { name }, error))
    }
  }

  /** Never throws. */
  fire(peerId: string, name: string, body: unknown): void {
    try {
      const envelope = recordOf(body)
      const message = recordOf(envelope['message'])
      const hops = envelope['hops']
      if (typeof hops !== 'number') throw new ShoalError('BAD_REQUEST', { expected: 'hops' })
      if (name === ROUTED && !this.#owns(message['key'])) this.#pass(message, hops + 1)
      else if (name === ROUTED || name === DIRECT) this.#when(() => this.#parts.dispatch.run(message, null))
    } catch (error) {
      this.#parts.log.warn({ peer: peerId, name, error }, 'malformed message from a peer')
    }
  }

  #handle(message: object, reply: Reply): void {
    this.#parts.dispatch.run(message, (error, result) => {
      if (error instanceof ShoalError && error.code === 'OWNER_MOVED') return reply.fail(error)
      const { body, streams } = takeStreams(result)
      reply.send(encodeReply(error, body), streams)
    })
  }

  #pass(message: Record<string, unknown>, hops: number): void {
    const { routing, hash, requestTimeoutMs } = this.#parts
    routing.pass(message, hash(message['key']), hops, requestTimeoutMs)
  }

  #owns(key: unknown): boolean {
    const { ring, id } = this.#parts.ground
    return ring.ids[ring.ownerIndex(this.#parts.hash(key))] === id
  }

  #when(run: () => void): void {
    if (this.#early === null) return run()
    if (this.#early.length >= EARLY_MAX) throw new ShoalError('LINK_FULL', { early: EARLY_MAX })
    this.#early.push(run)
  }
}

function recordOf(value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new ShoalError('BAD_REQUEST', { expected: 'an object' })
  return value as Record<string, unknown>
}
