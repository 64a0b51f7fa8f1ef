// The options of a link, with their defaults and what they bound.
import assert from 'node:assert'
import type { Clock } from '../runtime/clock.ts'
import type { Log } from '../runtime/log.ts'
import { FRAME_BYTES_LEAST, FRAME_BYTES_MAX } from './frame.ts'
import type { Identity, LinkHandlers } from './handlers.ts'
import type { KeyProof } from './key-proof.ts'

export interface LinkLimits {
  /** How often a side that has nothing to say says so. */
  heartbeatMs: number
  /** No byte at all for so long: the peer is gone. Noticed at most one `heartbeatMs` later. */
  silenceMs: number
  /** From the open duplex to the end of the handshake. */
  handshakeTimeoutMs: number
  /** For requests that name no deadline of their own. */
  requestTimeoutMs: number
  /** How long a graceful close waits for the peer before it destroys the link. */
  closeTimeoutMs: number
  /** The longest body of a frame that is accepted. From 128 KiB to 16 MiB - 1. */
  frameBytesMax: number
  /**
   * Bytes that may wait to be written. Beyond a half of it `congested` is told; beyond it, requests fail with LINK_FULL,
   * messages of QoS 0 and `fire` are dropped and counted; beyond twice of it the link is destroyed with LINK_FULL.
   */
  bufferBytesMax: number
  /** Unsettled requests in each direction; beyond it LINK_FULL. */
  requestsMax: number
  /** Open streams, of both directions together; beyond it LINK_FULL. */
  streamsMax: number
  /** Bytes that the far side may send ahead on each stream of bytes. */
  streamBytes: number
  /** Objects that the far side may send ahead on each stream of objects. */
  streamObjects: number
  /** Topics that are named by a number in each direction; one more redefines a number that is little used. */
  topicsMax: number
}

export const LINK_LIMITS: Readonly<LinkLimits> = {
  heartbeatMs: 1000,
  silenceMs: 5000,
  handshakeTimeoutMs: 3000,
  requestTimeoutMs: 10_000,
  closeTimeoutMs: 1000,
  frameBytesMax: FRAME_BYTES_MAX,
  bufferBytesMax: 64 * 1024 * 1024,
  requestsMax: 10_000,
  streamsMax: 1024,
  streamBytes: 262_144,
  streamObjects: 16,
  topicsMax: 65_536
}

/** Who we are to the peer, and who answers for us. */
export interface LinkParty {
  clock: Clock
  log: Log
  self: Identity
  /** Name of the ring: nodes of different rings do not talk. */
  ring: string
  handlers: LinkHandlers
  /** Of a node with cluster keys: it talks only to those that have one of them. Without it, only to those that have none. */
  proof?: KeyProof
}

export interface LinkOptions extends LinkParty, Partial<LinkLimits> {
  /** True at the side that dialled. */
  initiator: boolean
  /** The id that was dialled; the link is refused if another answers. Without it any will do. */
  expect?: string
}

/** The limits of `options`, with the defaults for those it does not have. */
export function limitsOf(options: Partial<LinkLimits>): LinkLimits {
  const limits: LinkLimits = { ...LINK_LIMITS }
  for (const name of Object.keys(LINK_LIMITS) as (keyof LinkLimits)[]) {
    const value = options[name]
    if (value !== undefined) limits[name] = value
  }
  assert(limits.frameBytesMax >= FRAME_BYTES_LEAST && limits.frameBytesMax <= FRAME_BYTES_MAX)
  return limits
}
