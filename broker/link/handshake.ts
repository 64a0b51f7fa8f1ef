// The first frames of a link: both sides say who they are, and either may refuse, telling the other why.
//
//     dialler            acceptor
//        │ ── HELLO ────────▶ │   its version, ring, ids and keys are looked at
//        │ ◀────── CHALLENGE  │ ┐
//        │ ── PROOF ────────▶ │ ┘ only between nodes with cluster keys: key-proof.ts
//        │                    │   admits or refuses
//        │ ◀── PROOF, HELLO ─ │
//   admits or refuses         │
//        │ ── READY ────────▶ │   The link is open here now; at the dialler since it sent READY.
//
// The dialler has the last word, and the link is open on no side before it: so links.ts can decide between
// two connections that cross each other without ever closing one that was in use. Nobody is admitted before the proof: a
// stranger who says that he is a member changes nothing.

import type { Duplex } from 'node:stream'
import { KEY_ID_BYTES } from '../cluster-keys.ts'
import { ShoalError } from '../errors.ts'
import type { Clock, Timer } from '../runtime/clock.ts'
import { FRAME, HEADER_BYTES, HELLO_BYTES_MAX, PROTOCOL_VERSION } from './frame.ts'
import { decodeHello, encodeHello, fieldsOf, type Hello, NONCE_BYTES, versionOf } from './hello.ts'
import type { KeyProof } from './key-proof.ts'
import { encodeValue } from './value.ts'
import { Wire, type WireOwner } from './wire.ts'

export type { Hello } from './hello.ts'

export type Refusal =
  | 'protocol version'
  | 'ring name'
  | 'cluster key'
  | 'proof of the cluster key'
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
  /** Of a node with cluster keys: the other must have one of them. Null: it must have none. */
  proof: KeyProof | null
  /**
   * The last word on a peer that is otherwise welcome. An acceptor may set `reply.standing` of what it is about to send.
   * Only links.ts refuses here.
   */
  admit(theirs: Hello, reply: Hello): Refusal | null
  /** Called once. The wire is the caller's from then on, if there is no error; else it is closed already. */
  done(error: ShoalError | null, theirs: Hello | null): void
}

/** A peer that does not take its refusal is dropped after so long. */
const REFUSAL_LINGER_MS = 1000

const NOTHING = Buffer.alloc(0)

/** What comes next: of a dialler 'hello' (or a challenge before it), of an acceptor 'hello', perhaps 'proof', then 'ready'. */
type Next = 'hello' | 'proof' | 'ready'

export class Handshake implements WireOwner {
  readonly wire: Wire
  readonly #options: HandshakeOptions
  readonly #timer: Timer
  #next: Next = 'hello'
  #theirs: Hello | null = null
  /** The dialler's HELLO. */
  #opening: Buffer = NOTHING
  /** Key id and nonce; empty without a challenge. */
  #challenge: Buffer = NOTHING
  /** The acceptor's. */
  #proof: Buffer = NOTHING
  #isDone = false

  constructor(duplex: Duplex, options: HandshakeOptions) {
    this.#options = options
    this.wire = new Wire(duplex, this, HELLO_BYTES_MAX)
    this.#timer = options.clock.after(options.timeoutMs, () => {
      this.abandon(new ShoalError('TIMEOUT', { handshake: options.timeoutMs }))
    })
    if (!options.initiator) return
    this.#opening = encodeHello(options.hello)
    this.#send(FRAME.HELLO, this.#opening)
  }

  /** Closes the connection, without a word to the peer. Does nothing once the handshake is done. */
  abandon(error: ShoalError): void {
    if (this.#isDone) return
    this.wire.destroy()
    this.#finish(error, null)
  }

  frame(type: number, buffer: Buffer, start: number, end: number): void {
    const body = buffer.subarray(start, end)
    const { initiator } = this.#options
    if (type === FRAME.REFUSE) this.abandon(refusedBy(body))
    else if (type === FRAME.HELLO && this.#next === 'hello') {
      if (initiator) this.#takeAnswer(body)
      else this.#takeOpening(body)
    } else if (type === FRAME.CHALLENGE && initiator && this.#challenge === NOTHING) this.#takeChallenge(body)
    else if (type === FRAME.PROOF && initiator && this.#proof === NOTHING) this.#proof = body
    else if (type === FRAME.PROOF && this.#next === 'proof') this.#takeProof(body)
    else if (type === FRAME.READY && this.#next === 'ready' && end === start) this.#finish(null, this.#theirs)
    else throw new ShoalError('FRAME_INVALID', { type, in: 'handshake' })
  }

  ended(): void {
    this.broken(new ShoalError('PEER_GONE', { in: 'handshake' }))
  }

  broken(reason: ShoalError): void {
    this.abandon(reason)
  }

  /** The acceptor's first step. Nothing of what a stranger says changes anything but this handshake. */
  #takeOpening(body: Buffer): void {
    const theirs = this.#read(body)
    if (theirs === null) return
    const { proof } = this.#options
    this.#opening = body
    const keyId = proof?.shared(theirs.keys) ?? null
    if (proof === null ? theirs.keys.length > 0 : keyId === null) return this.#refuseKeys(theirs)
    if (keyId === null || proof === null) return this.#answer(theirs)
    this.#challenge = Buffer.concat([Buffer.from(keyId, 'hex'), proof.nonce()])
    this.#next = 'proof'
    this.#send(FRAME.CHALLENGE, this.#challenge)
  }

  #takeProof(body: Buffer): void {
    if (this.#proves(body, NOTHING)) this.#answer(this.#theirs!)
    else this.#refuseProof()
  }

  #answer(theirs: Hello): void {
    const { hello, admit } = this.#options
    const refusal = admit(theirs, hello)
    if (refusal !== null) return this.#refuse(refusal, hello.id, theirs.id)
    const body = encodeHello(hello)
    this.#next = 'ready'
    const proof = this.#prove(body)
    if (proof !== null) this.#send(FRAME.PROOF, proof)
    this.#send(FRAME.HELLO, body)
  }

  /** The dialler proves first, so that the acceptor knows whom it answers. */
  #takeChallenge(body: Buffer): void {
    if (body.length !== KEY_ID_BYTES + NONCE_BYTES) throw new ShoalError('FRAME_INVALID', { in: 'challenge' })
    this.#challenge = body
    const proof = this.#prove(NOTHING)
    if (proof !== null) this.#send(FRAME.PROOF, proof)
    else this.#refuse('cluster key', shown(this.#options.hello.keys), keyIdOf(body))
  }

  /** The dialler's last step. */
  #takeAnswer(body: Buffer): void {
    const theirs = this.#read(body)
    if (theirs === null) return
    const { hello, proof, admit } = this.#options
    if (proof === null ? theirs.keys.length > 0 : this.#challenge === NOTHING) return this.#refuseKeys(theirs)
    if (proof !== null && !this.#proves(this.#proof, body)) return this.#refuseProof()
    const refusal = admit(theirs, hello)
    if (refusal !== null) return this.#refuse(refusal, hello.id, theirs.id)
    this.#send(FRAME.READY, NOTHING)
    this.#finish(null, theirs)
  }

  /** A HELLO of our version and ring, by and for whom it should be; null if it was refused. Throws FRAME_INVALID. */
  #read(body: Buffer): Hello | null {
    const { hello } = this.#options
    const refuse = (reason: Refusal, ours: unknown, said: unknown): null => {
      this.#refuse(reason, ours, said)
      return null
    }
    const version = versionOf(body)
    if (version !== PROTOCOL_VERSION) return refuse('protocol version', PROTOCOL_VERSION, version)
    const theirs = decodeHello(body)
    this.#theirs = theirs
    if (theirs.ring !== hello.ring) return refuse('ring name', hello.ring, theirs.ring)
    if (theirs.id === hello.id || theirs.instance === hello.instance)
      return refuse('itself', hello.id, theirs.id)
    if (hello.expect !== null && hello.expect !== theirs.id) {
      return refuse('not the node that was dialled', hello.expect, theirs.id)
    }
    if (theirs.expect !== null && theirs.expect !== hello.id) {
      return refuse('not the node that was dialled', hello.id, theirs.expect)
    }
    return theirs
  }

  /** Our proof, about `answer` if that is said; null without a challenge, or if its key is none of ours. */
  #prove(answer: Buffer): Buffer | null {
    const { proof, initiator } = this.#options
    if (proof === null || this.#challenge === NOTHING) return null
    const said = [this.#opening, this.#challenge, answer]
    return proof.make(keyIdOf(this.#challenge), initiator ? 'dialler' : 'acceptor', said)
  }

  #proves(theirs: Buffer, answer: Buffer): boolean {
    const { proof, initiator } = this.#options
    const said = [this.#opening, this.#challenge, answer]
    return proof?.isValid(theirs, keyIdOf(this.#challenge), initiator ? 'acceptor' : 'dialler', said) === true
  }

  #refuseProof(): void {
    const keyId = keyIdOf(this.#challenge)
    this.#refuse('proof of the cluster key', keyId, keyId)
  }

  #refuseKeys(theirs: Hello): void {
    this.#refuse('cluster key', shown(this.#options.hello.keys), shown(theirs.keys))
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

function keyIdOf(challenge: Buffer): string {
  return challenge.toString('hex', 0, KEY_ID_BYTES)
}

/** Key ids for a person. */
function shown(ids: readonly string[]): string {
  return ids.length === 0 ? 'none' : ids.join()
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
