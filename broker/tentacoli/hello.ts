// The first frame of each side. Neither has dialled, so neither speaks first: both send theirs at once, and the one
// with the larger nonce numbers its streams odd. What was asked for before waits for the other's hello.
//
//     HELLO   'tentacoli' u8:version nonce[8] value{frameBytesMax, streamBytes, streamObjects}
import { ShoalError } from '../errors.ts'
import { FRAME_BYTES_LEAST, FRAME_BYTES_MAX } from '../link/frame.ts'
import { decodeValue, encodeValue } from '../link/value.ts'

export interface Hello {
  nonce: Uint8Array
  /** The sender's limits for what it receives. */
  frameBytesMax: number
  streamBytes: number
  streamObjects: number
}

export const NONCE_BYTES = 8

const MAGIC = Buffer.from('tentacoli')
const VERSION = 1
const CREDITS_MAX = 2 ** 30

export function encodeHello({ nonce, ...limits }: Hello): Buffer {
  return Buffer.concat([MAGIC, Buffer.from([VERSION]), nonce, encodeValue(limits)])
}

/** Throws FRAME_INVALID, PEER_REFUSED for another protocol or version. */
export function decodeHello(body: Buffer): Hello {
  const nonceAt = MAGIC.length + 1
  if (body.length < nonceAt + NONCE_BYTES || !body.subarray(0, MAGIC.length).equals(MAGIC)) {
    throw new ShoalError('PEER_REFUSED', { reason: 'protocol', ours: MAGIC.toString() })
  }
  const version = body[MAGIC.length]
  if (version !== VERSION) {
    throw new ShoalError('PEER_REFUSED', { reason: 'protocol version', ours: VERSION, theirs: version })
  }
  const fields = decodeValue(body.subarray(nonceAt + NONCE_BYTES))
  return {
    nonce: body.subarray(nonceAt, nonceAt + NONCE_BYTES),
    frameBytesMax: integer(fields, 'frameBytesMax', FRAME_BYTES_LEAST, FRAME_BYTES_MAX),
    streamBytes: integer(fields, 'streamBytes', 1, CREDITS_MAX),
    streamObjects: integer(fields, 'streamObjects', 1, CREDITS_MAX)
  }
}

/** Whether our streams have odd numbers. Throws PEER_REFUSED when the far side is ourselves. */
export function isOdd(ours: Uint8Array, theirs: Uint8Array): boolean {
  const order = Buffer.compare(ours, theirs)
  if (order === 0) throw new ShoalError('PEER_REFUSED', { reason: 'itself' })
  return order > 0
}

function integer(fields: unknown, field: string, min: number, max: number): number {
  const value = (fields as Readonly<Record<string, unknown>> | null)?.[field]
  if (Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max)
    return value as number
  throw new ShoalError('FRAME_INVALID', { field, min, max })
}
