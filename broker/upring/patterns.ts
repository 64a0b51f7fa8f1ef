// Which handler answers a request: the first pattern, in the order in which they were added, all of whose properties
// the request has. A schema may guard a handler; what it refuses never gets there.
// Source: bloomrun, ajv; upring's `add`, whose short forms are tinysonic's.
import { createRequire } from 'node:module'
import type { Ajv, ValidateFunction } from 'ajv'
import bloomrun from 'bloomrun'
import { ShoalError } from '../errors.ts'
import type { Handler, Pattern, Schema } from './message.ts'

interface Route {
  readonly handler: Handler
  readonly validate: ValidateFunction | null
}

/** What is to be done with a request. */
export type Match =
  | { readonly kind: 'handle'; readonly handler: Handler }
  | { readonly kind: 'refuse'; readonly errors: readonly object[] }
  | { readonly kind: 'missing' }

const missing: Match = { kind: 'missing' }

/** Patterns of one instance; one more is LIMIT_EXCEEDED. */
const PATTERNS_MAX = 10_000

export class Patterns {
  readonly #routes = bloomrun<Route>()
  #count = 0
  #ajv: Ajv | null = null

  get size(): number {
    return this.#count
  }

  /** Throws OPTION_INVALID for a schema or a pattern that is none, LIMIT_EXCEEDED. */
  add(pattern: Pattern, schema: Schema | null, handler: Handler): void {
    if (this.#count >= PATTERNS_MAX)
      throw new ShoalError('LIMIT_EXCEEDED', { limit: 'patterns', max: PATTERNS_MAX })
    const properties = typeof pattern === 'string' ? parsePattern(pattern) : pattern
    if (Object.keys(properties).length === 0)
      throw new ShoalError('OPTION_INVALID', { pattern: 'has no properties' })
    const validate = schema === null ? null : this.#compile(schema)
    this.#routes.add(properties, { handler, validate })
    this.#count++
  }

  match(request: object): Match {
    const route = this.#lookup(request)
    if (route === null) return missing
    const { handler, validate } = route
    if (validate !== null && !validate(request)) return { kind: 'refuse', errors: validate.errors ?? [] }
    return { kind: 'handle', handler }
  }

  #compile(schema: Schema): ValidateFunction {
    this.#ajv ??= createAjv()
    try {
      return this.#ajv.compile(schema)
    } catch (error) {
      throw new ShoalError(
        'OPTION_INVALID',
        { schema: error instanceof Error ? error.message : 'invalid' },
        error
      )
    }
  }

  // A request from afar may have properties that bloomrun's objects have by themselves, such as `constructor`.
  #lookup(request: object): Route | null {
    try {
      return this.#routes.lookup(request)
    } catch {
      return null
    }
  }
}

/** Loaded by the first schema: it takes longer than all else that a node loads. */
function createAjv(): Ajv {
  const ajv = createRequire(import.meta.url)('ajv') as typeof import('ajv')
  return new ajv.Ajv({ allErrors: true, strict: false })
}

/** `'ns:kv,cmd:put'` is `{ ns: 'kv', cmd: 'put' }`; `'put'` is `{ cmd: 'put' }`. Numbers and booleans are read as such. */
export function parsePattern(text: string): Record<string, string | number | boolean> {
  const properties: Record<string, string | number | boolean> = {}
  for (const pair of text.split(',')) {
    const colon = pair.indexOf(':')
    if (colon === -1) return { cmd: text }
    properties[pair.slice(0, colon).trim()] = readValue(pair.slice(colon + 1).trim())
  }
  return properties
}

function readValue(text: string): string | number | boolean {
  if (text === 'true') return true
  if (text === 'false') return false
  return text !== '' && Number.isFinite(Number(text)) ? Number(text) : text
}
