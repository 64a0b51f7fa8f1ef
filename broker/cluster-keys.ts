// The secrets that the nodes of a cluster share. The first seals gossip; any of them opens it, and any that
// two nodes share lets them link. So keys change without a stop, one node after the other at each step: [old] →
// [old, new] everywhere, so that all understand the new one → [new, old] → [new].
//
// A key is 32 random bytes, written as 64 hexadecimal digits or as base64 (`shoal keygen` makes one). It is not used
// itself: each purpose has a key of its own, derived from it, so that no two uses can be played off against
// each other. Its id, 32 bits derived in the same way, travels and is logged in clear, and tells nothing of the key.
// Source: HKDF (RFC 5869), whose Expand step of one block is `derive`: the key is uniform, so needs no Extract.
import { createHmac } from 'node:crypto'
import { ShoalError } from './errors.ts'

export const KEY_BYTES = 32
export const KEY_ID_BYTES = 4
/** More than a change of keys needs; each costs the receiver of a stranger's packet nothing, since packets name theirs. */
export const KEYS_MAX = 8

/** What a key looks like, for a table of options. */
export const KEY_SHAPE = {
  pattern: /^(?:[0-9A-Fa-f]{64}|[A-Za-z0-9+/_-]{43}=?)$/,
  allowed: 'keys of 32 bytes, each as 64 hexadecimal digits or as base64'
}

const NOTHING = new Uint8Array(0)
const END = Buffer.from([1])

export class ClusterKey {
  /** 8 hexadecimal digits. */
  readonly id: string
  readonly #secret: Buffer

  /** `secret` is 32 bytes. */
  constructor(secret: Uint8Array) {
    this.#secret = Buffer.from(secret)
    this.id = this.derive('key id').subarray(0, KEY_ID_BYTES).toString('hex')
  }

  /** 32 bytes that belong to this key, a purpose and what may tell one use from another; nobody gets from one to another. */
  derive(purpose: string, context: Uint8Array = NOTHING): Buffer {
    return createHmac('sha256', this.#secret)
      .update(`shoal ${purpose}\0`)
      .update(context)
      .update(END)
      .digest()
  }
}

/** One to `KEYS_MAX` keys, the first being the one to seal with. May be replaced while in use. */
export class ClusterKeys {
  #keys: ReadonlyMap<string, ClusterKey>

  /** Throws OPTION_INVALID, which never holds what was written: no key, too many, the same twice, or not 32 bytes. */
  constructor(written: readonly string[]) {
    if (written.length === 0 || written.length > KEYS_MAX) {
      throw invalid(`from 1 to ${KEYS_MAX} keys, and not ${written.length}`)
    }
    const keys = written.map((one, index) => new ClusterKey(secretOf(one, index + 1)))
    this.#keys = new Map(keys.map(key => [key.id, key]))
    if (this.#keys.size < keys.length) throw invalid('different keys, and one is there twice')
  }

  /** The keys of a file: one a line; empty lines and those that begin with `#` are skipped. Throws as the constructor. */
  static ofLines(text: string): ClusterKeys {
    const lines = text.split(/\r?\n/).map(line => line.trim())
    return new ClusterKeys(lines.filter(line => line !== '' && !line.startsWith('#')))
  }

  /** The key to seal with. */
  get first(): ClusterKey {
    return this.#keys.values().next().value!
  }

  /** The ids of all, the first's first. */
  get ids(): string[] {
    return [...this.#keys.keys()]
  }

  get(id: string): ClusterKey | undefined {
    return this.#keys.get(id)
  }

  /** Takes the keys of `others` instead, from the next packet and link on. */
  replaceBy(others: ClusterKeys): void {
    // What was derived from a key that stays goes on being used.
    const keys = [...others.#keys.values()].map(key => this.#keys.get(key.id) ?? key)
    this.#keys = new Map(keys.map(key => [key.id, key]))
  }
}

function secretOf(written: string, number: number): Uint8Array {
  if (!KEY_SHAPE.pattern.test(written)) throw invalid(`${KEY_SHAPE.allowed}, and key ${number} is not`)
  return Buffer.from(written, written.length === 2 * KEY_BYTES ? 'hex' : 'base64')
}

function invalid(allowed: string): ShoalError {
  return new ShoalError('OPTION_INVALID', { option: 'clusterKey', allowed })
}
