// What an instance may be told, and the bounds that hold when it is told nothing. Each is for one instance.
import assert from 'node:assert'
import { ShoalError } from '../errors.ts'
import { FRAME_BYTES_LEAST, FRAME_BYTES_MAX } from '../link/frame.ts'
import { messagePack, type ValueCodec } from '../link/value.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Random } from '../runtime/random.ts'

/** How messages and objects become bytes. Both sides need the same. What `encode` returned must not change any more. */
export interface Codec {
  encode(value: unknown): Uint8Array | string
  decode(bytes: Buffer): unknown
}

export interface TentacoliOptions {
  /** MessagePack by default: JSON's values, and bytes, dates, undefined. */
  codec?: Codec
  /** Requests of the other side that are handled at once; 100. More wait their turn. */
  maxInflight?: number
  /** After so long a request fails with TIMEOUT, whoever is at fault; 60,000. `Infinity`: when the connection ends. */
  timeoutMs?: number
  /** Requests of each side that have no answer yet; 10,000. More fail with LINK_FULL. */
  requestsMax?: number
  /** Open streams of both sides together; 1024. A message that brings more fails with LINK_FULL. */
  streamsMax?: number
  /** The longest message that is taken; 16 MiB - 1. */
  messageBytesMax?: number
  /**
   * Bytes that may wait to be sent, and those of messages that wait their turn; 64 MiB. Beyond it requests fail with
   * LINK_FULL; `fire`s fail with it when they are sent, and are dropped and counted (`dropped`) when they come in.
   */
  bufferBytesMax?: number
  /** Time and chance: the machine's by default. */
  runtime?: { clock: Clock; random: Random }
}

export type Limits = Required<Omit<TentacoliOptions, 'codec' | 'runtime'>>

const DEFAULTS: Limits = {
  maxInflight: 100,
  timeoutMs: 60_000,
  requestsMax: 10_000,
  streamsMax: 1024,
  messageBytesMax: FRAME_BYTES_MAX,
  bufferBytesMax: 64 * 1024 * 1024
}

/** Throws OPTION_INVALID. */
export function limitsOf(options: TentacoliOptions): Limits {
  const limits: Limits = { ...DEFAULTS }
  for (const name of Object.keys(DEFAULTS) as (keyof Limits)[]) {
    const value = options[name]
    if (value === undefined) continue
    const least = name === 'messageBytesMax' ? FRAME_BYTES_LEAST : 1
    const most = name === 'messageBytesMax' ? FRAME_BYTES_MAX : Number.POSITIVE_INFINITY
    if (!(value >= least && value <= most)) {
      throw new ShoalError('OPTION_INVALID', { option: name, value, allowed: `${least} to ${most}` })
    }
    limits[name] = value
  }
  return limits
}

/** A user's codec as the link wants it: what it throws is told apart by who is at fault. */
export function codecOf(codec: Codec | undefined): ValueCodec {
  if (codec === undefined) return messagePack
  return {
    encode(value) {
      try {
        const bytes = codec.encode(value)
        if (typeof bytes === 'string') return Buffer.from(bytes)
        // JSON has no bytes for `undefined`.
        if (bytes === undefined) return Buffer.alloc(0)
        assert(bytes instanceof Uint8Array, 'what a codec encodes is bytes or a string')
        return bytes
      } catch (error) {
        throw new ShoalError('BAD_REQUEST', { body: 'cannot be sent' }, error)
      }
    },
    decode(bytes) {
      if (bytes.length === 0) return undefined
      try {
        return codec.decode(bytes as Buffer)
      } catch (error) {
        throw new ShoalError('FRAME_INVALID', { field: 'value' }, error)
      }
    }
  }
}
