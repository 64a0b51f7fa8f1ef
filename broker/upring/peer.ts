// A node as programs see it: its id, what it says of itself, and where it stands on the ring.
import type { Ring } from '../ring/ring.ts'
import type { Meta } from '../swim/meta.ts'

/** What a node says of itself: where requests reach it, and what was given to it as `hashring.local.meta`. */
export interface PeerMeta {
  readonly upring: { readonly address: string; readonly port: number }
  readonly [field: string]: unknown
}

export class Peer {
  /** `host:port` of its cluster address. */
  readonly id: string
  readonly meta: PeerMeta
  readonly #ring: () => Ring

  constructor(id: string, meta: PeerMeta, ring: () => Ring) {
    this.id = id
    this.meta = meta
    this.#ring = ring
  }

  /** Its points on the ring as it is now, ascending; none for a client. Walks all points. */
  get points(): number[] {
    const { ids, points, owners } = this.#ring()
    const index = ids.indexOf(this.id)
    return index === -1 ? [] : [...points].filter((_point, at) => owners[at] === index).sort((a, b) => a - b)
  }
}

/** The name under which a node's own meta travels. */
const META_NAME = 'upring'

/** What is given to the cluster to be told to all. */
export function encodePeerMeta(meta: object): Meta {
  const text = JSON.stringify(meta)
  return text === '{}' ? {} : { [META_NAME]: text }
}

/** Whatever another process says is taken for nothing worse than strange. */
export function decodePeerMeta(address: { host: string; port: number }, meta: Readonly<Meta>): PeerMeta {
  const upring = { address: address.host, port: address.port }
  const text = meta[META_NAME]
  if (typeof text !== 'string') return { upring }
  try {
    return { ...(JSON.parse(text) as object), upring }
  } catch {
    return { upring }
  }
}
