// The proof that a side of a link has a cluster key, without showing it: an HMAC over all that both sides have said,
// which includes a random number of each. So it is good for this connection alone, for this side of it, and for these two
// ids and instances: played back later, to the one who made it, or on another connection, it is worth nothing.
//
// What it is not: after the handshake the bytes of the link are neither encrypted nor authenticated by it. Who can change what
// is on the wire between two nodes can let them prove, and then read and change what they say. TLS is for that.
// Nor does it tell the members apart: who has a key may say that he is any of them.
// Source: ISO/IEC 9798-4, mutual authentication in three passes; the roles in the MAC are against reflection.
import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import type { ClusterKeys } from '../cluster-keys.ts'
import type { Random } from '../runtime/random.ts'
import { NONCE_BYTES } from './hello.ts'

export const PROOF_BYTES = 32

/** What was said: the bodies of the dialler's HELLO, of CHALLENGE, and of the acceptor's HELLO, which is empty before it. */
export type Transcript = readonly Uint8Array[]

export type Role = 'dialler' | 'acceptor'

export class KeyProof {
  readonly #keys: ClusterKeys
  readonly #random: Random

  constructor(keys: ClusterKeys, random: Random) {
    this.#keys = keys
    this.#random = random
  }

  /** Of all our keys, the first's first. */
  get ids(): string[] {
    return this.#keys.ids
  }

  nonce(): Uint8Array {
    return this.#random.bytes(NONCE_BYTES)
  }

  /** The first key of ours that is among theirs; null if there is none. */
  shared(theirs: readonly string[]): string | null {
    return this.ids.find(id => theirs.includes(id)) ?? null
  }

  /** Null if there is no such key, or no more. */
  make(keyId: string, role: Role, transcript: Transcript): Buffer | null {
    const key = this.#keys.get(keyId)
    if (key === undefined) return null
    const mac = createHmac('sha256', key.derive(`link ${role}`))
    for (const said of transcript) mac.update(createHash('sha256').update(said).digest())
    return mac.digest()
  }

  /** Whether the other side, in that role, has made it. */
  isValid(proof: Uint8Array, keyId: string, role: Role, transcript: Transcript): boolean {
    const expected = this.make(keyId, role, transcript)
    return expected !== null && proof.length === PROOF_BYTES && timingSafeEqual(proof, expected)
  }
}
