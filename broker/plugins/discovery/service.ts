// The record of a service: its instances, each with what it says of itself and its lease.
import { ShoalError } from '../../errors.ts'
import { messagePack } from '../../link/value.ts'
import type { LeaseTerm } from './leases.ts'

export interface ServiceInstance<Meta = unknown> {
  readonly instance: string
  readonly meta: Meta
}

export interface Registration extends LeaseTerm {
  readonly meta: unknown
}

/** By instance, ordered by it. */
export type Service = ReadonlyMap<string, Registration>

/** Throws FRAME_INVALID, BAD_REQUEST. */
export function decodeService(bytes: Uint8Array | null): Map<string, Registration> {
  if (bytes === null) return new Map()
  const value = messagePack.decode(bytes)
  if (!Array.isArray(value)) throw new ShoalError('BAD_REQUEST', { expected: 'a service' })
  return new Map(
    value.map((each: unknown) => {
      const [instance, lease, ttlMs, meta] = Array.isArray(each) ? (each as unknown[]) : []
      if (typeof instance !== 'string' || typeof lease !== 'string' || typeof ttlMs !== 'number')
        throw new ShoalError('BAD_REQUEST', { expected: 'a registration' })
      return [instance, { lease, ttlMs, meta }]
    })
  )
}

/** Null for a service without instances. */
export function encodeService(service: Service): Uint8Array | null {
  if (service.size === 0) return null
  const ordered = [...service].sort(([a], [b]) => (a < b ? -1 : 1))
  return messagePack.encode(
    ordered.map(([instance, { lease, ttlMs, meta }]) => [instance, lease, ttlMs, meta])
  )
}

export function instancesOf(service: Service): ServiceInstance[] {
  return [...service].map(([instance, { meta }]) => ({ instance, meta }))
}
