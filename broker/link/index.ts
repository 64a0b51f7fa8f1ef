// Links between nodes: requests, streams and the data plane, multiplexed over one connection a peer.
export { createLink } from './create.ts'
export type { DataHandlers, Identity, LinkHandlers, Reply } from './handlers.ts'
export { Link, type RequestOptions, type Response } from './link.ts'
export { Links, type LinksEvents, type LinksOptions } from './links.ts'
export { LINK_LIMITS, type LinkLimits, type LinkOptions } from './options.ts'
