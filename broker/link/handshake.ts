// The first frames of a link: both sides say who they are, and either may refuse, telling the other why.
//
//     dialler            acceptor
//        │ ── HELLO ────────▶ │   admits or refuses
//        │ ◀──────── HELLO ── │
//   admits or refuses         │
//        │ ── READY ────────▶ │   The link is open here now; at the dialler since it sent READY.
//
// The dialler has the last word, and the link is open on no side before it: so links.ts can decide between
// two connections that cross each other without ever closing one that was in use.

import type { Duplex } from 'node:stream'
import { ShoalError } from '../errors.ts'
import type { Clock, Timer } from '../runtime/clock.ts'
import {
  FRAME,
  FRAME_BYTES_LEAST,
  FRAME_BYTES_MAX,
  HEADER_BYTES,
  HELLO_BYTES_MAX,
  PROTOCOL_VERSION
} from './frame.ts'
import type { Identity } from './handlers.ts'
import { decodeValue, encodeValue } from './value.ts'
import { Wire, type WireOwner } from './wire.ts'

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
}

export type Refusal =
  | 'protocol version'
  | 'ring name'
  | 'not the node that was dialled'
  | 'itself'
  | 'duplicate'
  | 'closing'
  | 'too many links'

export interface HandshakeOptions {
  clock: Clock
  initiator: boolean
  timeoutMs: number
  hello: Hello
  /**
   * The last word on a peer that is otherwise welcome. An acceptor may set `reply.standing` of what it is about to send.
   * Only links.ts refuses here.
   */
  admit(theirs: Hello, reply: Hello): Refusal | null
  /** Called once. The wire is the caller's from then on, if there is no error; else it is closed already. */
  done(error: ShoalError | null, theirs: Hello | null): void
}

const MAGIC = Buffer.from('shoal')

/** A peer that does not take its refusal is dropped after so long. */
const REFUSAL_LINGER_MS = 1000

export class Handshake implements WireOwner {
  readonly wire: Wire
  readonly #options: HandshakeOptions
  readonly #timer: Timer
  #theirs: Hello | null = null
  #isAwaitingReady = false
  #isDone = false

  constructor(duplex: Duplex, options: HandshakeOptions) {
    this.#options = options
    this.wire = new Wire(duplex, this, HELLO_BYTES_MAX)
    this.#timer = options.clock.after(options.timeoutMs, () => {
      this.abandon(new ShoalError('TIMEOUT', { handshake: options.timeoutMs }))
    })
    if (options.initiator) this.#send(FRAME.HELLO, helloBody(options.hello))
  }

  /** Closes the connection, without a word to the peer. Does nothing once the handshake is done. */
  abandon(error: ShoalError): void {
    if (this.#isDone) return
    this.wire.destroy()
    this.#finish(error, null)
  }

  frame(type: number, buffer: Buffer, start: number, end: number): void {
    const body = buffer.subarray(start, end)
    if (type === FRAME.REFUSE) this.abandon(refusedBy(body))
    else if (type === FRAME.HELLO && this.#theirs === null) this.#meet(body)
    else if (type === FRAME.READY && this.#isAwaitingReady && end === start) this.#finish(null, this.#theirs)
    else throw new ShoalError('FRAME_INVALID', { type, in: 'handshake' })
  }

  ended(): void {
    this.broken(new ShoalError('PEER_GONE', { in: 'handshake' }))
  }

  broken(reason: ShoalError): void {
    this.abandon(reason)
  }

  #meet(body: Buffer): void {
    const { hello, initiator } = this.#options
    const version = versionOf(body)
    if (version !== PROTOCOL_VERSION) return this.#refuse('protocol version', PROTOCOL_VERSION, version)
    const theirs = helloOf(body)
    this.#theirs = theirs
    if (theirs.ring !== hello.ring) return this.#refuse('ring name', hello.ring, theirs.ring)
    if (theirs.id === hello.id || theirs.instance === hello.instance) {
      return this.#refuse('itself', hello.id, theirs.id)
    }
    if (hello.expect !== null && hello.expect !== theirs.id) {
      return this.#refuse('not the node that was dialled', hello.expect, theirs.id)
    }
    if (theirs.expect !== null && theirs.expect !== hello.id) {
      return this.#refuse('not the node that was dialled', hello.id, theirs.expect)
    }
    const refusal = this.#options.admit(theirs, hello)
    if (refusal !== null) return this.#refuse(refusal, hello.id, theirs.id)
    if (initiator) {
      this.#send(FRAME.READY, Buffer.alloc(0))
      this.#finish(null, theirs)
    } else {
      this.#isAwaitingReady = true
      this.#send(FRAME.HELLO, helloBody(hello))
    }
  }

  /** Tells the peer, and lets it read that before the connection ends. */
  #refuse(reason: Refusal, ours: unknown, theirs: unknown): void {
    const { clock, hello } = this.#options
    const { duplex } = this.wire
    this.wire.detach()
    const linger = clock.after(REFUSAL_LINGER_MS, () => duplex.destroy())
    duplex.once('close', () => linger.cancel())
    duplex.end(frameOf(FRAME.REFUSE, encodeValue({ reason, ours, theirs, id: hello.id })), () =>
      duplex.destroy()
    )
    const peer = this.#theirs?.id ?? null
    this.#finish(new ShoalError('PEER_REFUSED', { reason, ours, theirs, peer, by: 'us' }), null)
  }

  #send(type: number, body: Uint8Array): void {
    this.wire.duplex.write(frameOf(type, body))
  }

  #finish(error: ShoalError | null, theirs: Hello | null): void {
    if (this.#isDone) return
    this.#isDone = true
    this.#timer.cancel()
    this.#options.done(error, theirs)
  }
}

function frameOf(type: number, body: Uint8Array): Buffer {
  const frame = Buffer.alloc(HEADER_BYTES + body.length)
  frame.writeUInt32LE(body.length, 0)
  frame[3] = type
  frame.set(body, HEADER_BYTES)
  return frame
}

function helloBody(hello: Hello): Buffer {
  return Buffer.concat([MAGIC, Buffer.from([PROTOCOL_VERSION]), encodeValue(hello)])
}

// Magic and version stay where they are in every version to come.
function versionOf(body: Buffer): number {
  if (body.length <= MAGIC.length || !body.subarray(0, MAGIC.length).equals(MAGIC)) {
    throw new ShoalError('FRAME_INVALID', { field: 'magic' })
  }
  return body[MAGIC.length]!
}

function helloOf(body: Buffer): Hello {
  const fields = fieldsOf(body.subarray(MAGIC.length + 1))
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
    streamObjects: integer(fields, 'streamObjects', 1, 2 ** 30)
  }
}

const ANY = /^[^\0]{1,255}$/
const INSTANCE = /^[0-9a-f]{16}$/

function fieldsOf(bytes: Buffer): Readonly<Record<string, unknown>> {
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

/** The refusal as it is to be told on this side: what were theirs are ours. */
function refusedBy(body: Buffer): ShoalError {
  const fields = fieldsOf(body)
  return new ShoalError('PEER_REFUSED', {
    reason: excerptOf(fields['reason']),
    ours: excerptOf(fields['theirs']),
    theirs: excerptOf(fields['ours']),
    peer: excerptOf(fields['id']),
    by: 'the peer'
  })
}

function excerptOf(value: unknown): string | number | null {
  if (typeof value === 'number') return value
  return typeof value === 'string' ? value.slice(0, 255) : null
}
