// HELLO in bytes: what a side of a link tells of itself. Magic and version stay where they are in every version to come,
// so that two versions can tell each other why they do not talk.
import { ShoalError } from '../errors.ts'
import { FRAME_BYTES_LEAST, FRAME_BYTES_MAX, PROTOCOL_VERSION } from './frame.ts'
import type { Identity } from './handlers.ts'
import { decodeValue, encodeValue } from './value.ts'

/** What a side tells of itself. */
export interface Hello extends Identity {
  ring: string
  /** The id that the dialler wants to reach; null from an acceptor, or if any will do. */
  expect: string | null
  /** Numbers the HELLOs of a process, from 1. */
  attempt: number
  /** The `attempt` of the receiver's HELLO on the link that the sender still has to it; 0 if none. */
  standing: number
  frameBytesMax: number
  topicsMax: number
  streamBytes: number
  streamObjects: number
  /** Ids of the cluster keys that the sender has, the one it prefers first; none of a node without keys. */
  keys: readonly string[]
  /** What the other side's proof has to be about: 32 random bytes of a node with keys, else none. */
  nonce: Uint8Array
}

export const NONCE_BYTES = 32

const MAGIC = Buffer.from('shoal')
const ANY = /^[^\0]{1,255}$/
const INSTANCE = /^[0-9a-f]{16}$/
const KEY_IDS = /^[0-9a-f]{8}(?:,[0-9a-f]{8}){0,15}$/
const NOTHING = new Uint8Array(0)

export function encodeHello({ keys, nonce, ...hello }: Hello): Buffer {
  const value = keys.length === 0 ? hello : { ...hello, keys: keys.join(), nonce }
  return Buffer.concat([MAGIC, Buffer.from([PROTOCOL_VERSION]), encodeValue(value)])
}

/** Throws FRAME_INVALID for what is no HELLO of any version. */
export function versionOf(body: Buffer): number {
  if (body.length <= MAGIC.length || !body.subarray(0, MAGIC.length).equals(MAGIC)) {
    throw new ShoalError('FRAME_INVALID', { field: 'magic' })
  }
  return body[MAGIC.length]!
}

/** Of our version. Throws FRAME_INVALID. */
export function decodeHello(body: Buffer): Hello {
  const fields = fieldsOf(body.subarray(MAGIC.length + 1))
  const keys = fields['keys'] === undefined ? [] : text(fields, 'keys', KEY_IDS).split(',')
  return {
    id: text(fields, 'id'),
    instance: text(fields, 'instance', INSTANCE),
    ring: text(fields, 'ring'),
    expect: fields['expect'] === null ? null : text(fields, 'expect'),
    attempt: integer(fields, 'attempt', 0, Number.MAX_SAFE_INTEGER),
    standing: integer(fields, 'standing', 0, Number.MAX_SAFE_INTEGER),
    frameBytesMax: integer(fields, 'frameBytesMax', FRAME_BYTES_LEAST, FRAME_BYTES_MAX),
    topicsMax: integer(fields, 'topicsMax', 1, 2 ** 24),
    streamBytes: integer(fields, 'streamBytes', 1, 2 ** 30),
    streamObjects: integer(fields, 'streamObjects', 1, 2 ** 30),
    keys,
    nonce: keys.length === 0 ? NOTHING : nonce(fields)
  }
}

/** A MessagePack value that is an object. Throws FRAME_INVALID. */
export function fieldsOf(bytes: Buffer): Readonly<Record<string, unknown>> {
  const value = decodeValue(bytes)
  if (typeof value !== 'object' || value === null) throw new ShoalError('FRAME_INVALID', { field: 'hello' })
  return value as Record<string, unknown>
}

function text(fields: Readonly<Record<string, unknown>>, field: string, pattern = ANY): string {
  const value = fields[field]
  if (typeof value === 'string' && pattern.test(value)) return value
  throw new ShoalError('FRAME_INVALID', { field })
}

function integer(fields: Readonly<Record<string, unknown>>, field: string, min: number, max: number): number {
  const value = fields[field]
  if (Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max)
    return value as number
  throw new ShoalError('FRAME_INVALID', { field, min, max })
}

function nonce(fields: Readonly<Record<string, unknown>>): Uint8Array {
  const value = fields['nonce']
  if (value instanceof Uint8Array && value.length === NONCE_BYTES) return value
  throw new ShoalError('FRAME_INVALID', { field: 'nonce' })
}
