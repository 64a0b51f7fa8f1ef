// The options of upring 0.22 under their names, and what they mean to a cluster. Where upring had two ports, one for
// gossip and one for requests, there is one number for both.
import type { ClusterOptions } from '../cluster.ts'
import { ShoalError } from '../errors.ts'
import { hashKey } from '../ring/hash.ts'
import { pointsMax } from '../ring/ring.ts'
import type { Log } from '../runtime/log.ts'
import { parseId } from '../swim/member.ts'
import { encodePeerMeta } from './peer.ts'

export interface HashringOptions {
  base?: string | readonly string[]
  /** Name of the ring: nodes of another name are refused. `ringname` is the same. */
  name?: string
  ringname?: string
  client?: boolean
  host?: string
  port?: number
  /** Points of each node on the ring; the same on all nodes. Default 100. */
  replicaPoints?: number
  /** How long a joining node waits for links to members that do not answer, in ms. Default 5000. */
  joinTimeout?: number
  /** What this node says of itself, as JSON of at most about 400 bytes. `meta` is the same. */
  local?: { meta?: object }
  meta?: object
  /** From a key to 0..2^32 - 1; the same on all nodes. Default: farmhash's fingerprint32. */
  hashFunc?: (key: string | Uint8Array) => number
}

export interface UpringOptions {
  /** Nodes to join, as `host:port`; none: start a ring. */
  base?: string | readonly string[]
  /** Name of the ring. Default `hashring`. */
  name?: string
  /** Sends requests, and owns no keys. */
  client?: boolean
  /** The address to listen on, and by which the others reach this node. Default `127.0.0.1`. */
  host?: string
  /** UDP for gossip and TCP for requests. Default: any that is free for both. */
  port?: number
  /** Of the logger that is made when none is given. Default `info`. */
  logLevel?: string
  /** A pino logger, or any other with its methods. */
  logger?: Log
  hashring?: HashringOptions
  /** From a request's call to its answer, retries included, in ms. Default 10,000. */
  requestTimeoutMs?: number
  /** Requests of this node that are not settled; one more fails with LIMIT_EXCEEDED. Default 10,000. */
  requestsMax?: number
  /** `close` lets requests that are being handled here go on for so long, in ms. Default 2000. */
  drainTimeoutMs?: number
  /** Whatever else a cluster can be told, such as `preset` (`local`, `lan`, `wan`) or `advertiseHost`. */
  cluster?: Partial<ClusterOptions>
}

/** What an instance keeps to, on any ground. */
export interface InstanceOptions {
  readonly requestTimeoutMs: number
  readonly requestsMax: number
  readonly drainTimeoutMs: number
  readonly hash: (key: unknown) => number
}

const REPLICA_POINTS = 100
const JOIN_TIMEOUT_MS = 5000

/** Throws OPTION_INVALID for a `base` or a `port` that is none. */
export function clusterOptionsOf(options: UpringOptions): ClusterOptions {
  const ring = options.hashring ?? {}
  const host = options.host ?? ring.host ?? '127.0.0.1'
  // The base addresses of others name the port that was the ring's.
  const clusterPort = ring.port ?? options.port ?? 0
  if (!isInteger(clusterPort, 0, 65_535)) throw invalid('port', clusterPort, '0 to 65535')
  const given = options.base ?? ring.base ?? []
  const base = typeof given === 'string' ? [given] : given
  for (const address of base) if (parseId(address) === null) throw invalid('base', address, 'host:port')
  const name = options.name ?? ring.ringname ?? ring.name ?? 'hashring'
  return {
    // Brokers of the same name are another ring.
    name: `upring:${name}`,
    clusterHost: host,
    advertiseHost: host,
    clusterPort,
    base,
    client: options.client ?? ring.client ?? false,
    preset: 'lan',
    linkBufferBytesMax: 16 * 1024 * 1024,
    meta: encodePeerMeta(ring.local?.meta ?? ring.meta ?? {}),
    ...options.cluster
  }
}

/** Throws OPTION_INVALID. */
export function groundOptionsOf(options: UpringOptions): { replicaPoints: number; joinTimeoutMs: number } {
  const { replicaPoints = REPLICA_POINTS, joinTimeout = JOIN_TIMEOUT_MS } = options.hashring ?? {}
  if (!isInteger(replicaPoints, 1, pointsMax))
    throw invalid('replicaPoints', replicaPoints, `1 to ${pointsMax}`)
  return { replicaPoints, joinTimeoutMs: joinTimeout }
}

export function instanceOptionsOf(
  options: Partial<Omit<InstanceOptions, 'hash'>>,
  hashFunc?: (key: string | Uint8Array) => number
): InstanceOptions {
  return {
    requestTimeoutMs: options.requestTimeoutMs ?? 10_000,
    requestsMax: options.requestsMax ?? 10_000,
    drainTimeoutMs: options.drainTimeoutMs ?? 2000,
    hash: hasher(hashFunc ?? (key => hashKey(key as string | Buffer)))
  }
}

/** The place of a key on the ring. A number is taken for a hash. Throws BAD_REQUEST for what is no key. */
function hasher(hash: (key: string | Uint8Array) => number): (key: unknown) => number {
  return key => {
    if (typeof key === 'string' || key instanceof Uint8Array) return hash(key) >>> 0
    if (typeof key === 'number' && isInteger(key, 0, 0xffff_ffff)) return key
    throw new ShoalError('BAD_REQUEST', { expected: 'a key: text, bytes or a hash', key: typeof key })
  }
}

function isInteger(value: unknown, least: number, most: number): boolean {
  return Number.isInteger(value) && (value as number) >= least && (value as number) <= most
}

function invalid(option: string, value: unknown, allowed: string): ShoalError {
  return new ShoalError('OPTION_INVALID', { option, value, allowed })
}
