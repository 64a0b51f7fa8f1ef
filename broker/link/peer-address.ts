// The id of a node is where it listens: `host:port`, a host with colons (IPv6) in brackets.
import type { Address } from '../runtime/network.ts'

export function idOf({ host, port }: Address): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

export function addressOf(id: string): Address {
  const colon = id.lastIndexOf(':')
  const host = id.slice(0, colon)
  return { host: host.startsWith('[') ? host.slice(1, -1) : host, port: Number(id.slice(colon + 1)) }
}
