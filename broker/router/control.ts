// The control plane: requests between routers, by name. Each part of the router registers its own.
// A body comes from another process: handlers read it with the functions below, which throw BAD_REQUEST.
import { ShoalError } from '../errors.ts'
import type { Reply } from '../link/handlers.ts'
import type { Peer } from './peer.ts'

/** Answers with what it returns or its promise resolves to, or later through `reply` when that is nothing. */
export type RequestHandler = (peer: Peer, body: Readonly<Record<string, unknown>>, reply: Reply) => unknown
export type FireHandler = (peer: Peer, body: Readonly<Record<string, unknown>>) => void

export class Control {
  readonly #requests = new Map<string, RequestHandler>()
  readonly #fires = new Map<string, FireHandler>()

  onRequest(name: string, handler: RequestHandler): void {
    this.#requests.set(name, handler)
  }

  onFire(name: string, handler: FireHandler): void {
    this.#fires.set(name, handler)
  }

  request(peer: Peer, name: string, body: unknown, reply: Reply): void {
    const handler = this.#requests.get(name)
    if (handler === undefined) return reply.fail(new ShoalError('HANDLER_MISSING', { name }))
    try {
      const answer = handler(peer, record(body), reply)
      if (answer instanceof Promise) {
        answer.then(
          late => late !== undefined && reply.send(late),
          error => fail(reply, name, error)
        )
      } else if (answer !== undefined) reply.send(answer)
    } catch (error) {
      fail(reply, name, error)
    }
  }

  /** Throws BAD_REQUEST for a malformed body; a fire that nobody handles is ignored. */
  fire(peer: Peer, name: string, body: unknown): void {
    this.#fires.get(name)?.(peer, record(body))
  }
}

function fail(reply: Reply, name: string, error: unknown): void {
  reply.fail(error instanceof ShoalError ? error : new ShoalError('HANDLER_FAILED', { name }, error))
}

export function record(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new ShoalError('BAD_REQUEST', { expected: 'an object' })
  return value as Record<string, unknown>
}

export function integer(body: Readonly<Record<string, unknown>>, name: string): number {
  const value = body[name]
  if (!Number.isSafeInteger(value)) throw new ShoalError('BAD_REQUEST', { expected: 'an integer', name })
  return value as number
}

export function text(body: Readonly<Record<string, unknown>>, name: string): string {
  const value = body[name]
  if (typeof value !== 'string') throw new ShoalError('BAD_REQUEST', { expected: 'a string', name })
  return value
}

export function list(body: Readonly<Record<string, unknown>>, name: string): readonly unknown[] {
  const value = body[name]
  if (!Array.isArray(value)) throw new ShoalError('BAD_REQUEST', { expected: 'a list', name })
  return value
}

export function texts(body: Readonly<Record<string, unknown>>, name: string): readonly string[] {
  const values = list(body, name)
  for (const value of values) {
    if (typeof value !== 'string') throw new ShoalError('BAD_REQUEST', { expected: 'strings', name })
  }
  return values as readonly string[]
}
