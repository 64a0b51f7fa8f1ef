// Gossip that only those who have a cluster key can read, write, or send a second time.
//
//    0       1        5          13           21           27                      27 + n     43 + n
//   ┌───────┬────────┬──────────┬────────────┬────────────┬─────────── ─ ─ ───────┬──────────┐
//   │ 0xA1  │ key id │ sender 8 │ receiver 8 │ number u48 │ packet, AES-256-GCM   │  tag 16  │
//   └───────┴────────┴──────────┴────────────┴────────────┴─────────── ─ ─ ───────┴──────────┘
//    in clear, and authenticated: the associated data      ring and version of the codec are in the packet
//
// Key and nonce. A sender numbers what it seals from 1, and seals under a key of its own: derived from the cluster key,
// what the seal is for, and the sender's instance, which is 64 random bits, new at each start. The nonce is the
// number. So none comes twice under a key, without a clock or a disk, and the limit of 2^32 packets that random
// nonces of 96 bits have under one key (a thousand nodes reach it in days) does not concern us: here it is 2^48.
//
// Replays. A receiver remembers which numbers of a sender's instance it has had, and takes what is for its own instance only:
// so what was recorded before it started, or on the way to another node, is not taken either, and that without a clock.
// What is for another instance is opened all the same, and said to be so: a process that was started in the place of
// another must be able to say that it was. What an attacker can still do is what a bad network does: hold packets up
// and lose them. A state travels on a link, whose far end need not be known, and is for anyone; there the proof of the key
// stands before it.
//
// Who an observer sees: instances, their numbers of packets, lengths; not ids, rumours, or the ring.
// Source: NIST SP 800-38D, 8.2.1 and 8.3 (nonces); RFC 4303, 3.4.3 (replays); a key for each sender: RFC 8645, 6.
import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject } from 'node:crypto'
import { type ClusterKey, type ClusterKeys, KEY_ID_BYTES } from '../cluster-keys.ts'
import { ShoalError } from '../errors.ts'
import { ReplayWindow } from './replay-window.ts'
import { checksumSeal, type Opened, SEALED, type Seal } from './seal.ts'

const INSTANCE_BYTES = 8
const SENDER_AT = 1 + KEY_ID_BYTES
const RECEIVER_AT = SENDER_AT + INSTANCE_BYTES
const NUMBER_AT = RECEIVER_AT + INSTANCE_BYTES
const NUMBER_BYTES = 6
const PACKET_AT = NUMBER_AT + NUMBER_BYTES
const TAG_BYTES = 16
const NONCE_BYTES = 12
const CIPHER = 'aes-256-gcm'
const TAG = { authTagLength: TAG_BYTES }
const ANYONE = '0'.repeat(2 * INSTANCE_BYTES)

/** Instances whose numbers are remembered; one more, and the one that was silent for longest is forgotten. */
const SENDERS_MAX = 16_384

export interface KeyedSealOptions {
  keys: ClusterKeys
  /** Of this process: 16 hexadecimal digits. No other seal may have the same instance and purpose. */
  instance: string
  /** What is sealed for one purpose cannot be opened for the other. */
  purpose: 'packet' | 'state'
  sendersMax?: number
}

export class KeyedSeal implements Seal {
  readonly overheadBytes = PACKET_AT + TAG_BYTES
  /** Senders that were forgotten to stay within `sendersMax`: old packets of theirs could be taken again. */
  forgotten = 0
  readonly #keys: ClusterKeys
  readonly #purpose: string
  readonly #self: string
  readonly #own: Sender
  readonly #sendersMax: number
  /** The longest silent first. */
  readonly #senders = new Map<string, Sender>()
  #number = 0

  constructor({ keys, instance, purpose, sendersMax = SENDERS_MAX }: KeyedSealOptions) {
    this.#keys = keys
    this.#purpose = `gossip ${purpose}`
    this.#self = instance
    this.#own = new Sender(instance)
    this.#sendersMax = sendersMax
  }

  seal(packet: Uint8Array, receiver = ANYONE): Uint8Array {
    const key = this.#keys.first
    const sealed = Buffer.allocUnsafe(PACKET_AT + packet.length + TAG_BYTES)
    sealed[0] = SEALED
    sealed.write(key.id, 1, 'hex')
    sealed.write(this.#self, SENDER_AT, 'hex')
    sealed.write(receiver, RECEIVER_AT, 'hex')
    sealed.writeUIntBE(++this.#number, NUMBER_AT, NUMBER_BYTES)
    const cipher = createCipheriv(CIPHER, this.#own.keyOf(key, this.#purpose), nonceOf(this.#number), TAG)
    cipher.setAAD(sealed.subarray(0, PACKET_AT))
    sealed.set(cipher.update(packet), PACKET_AT)
    cipher.final()
    sealed.set(cipher.getAuthTag(), PACKET_AT + packet.length)
    return sealed
  }

  open(sealed: Uint8Array): Opened {
    const bytes = Buffer.from(sealed.buffer, sealed.byteOffset, sealed.length)
    const key = this.#keyOf(bytes)
    const name = bytes.toString('hex', SENDER_AT, RECEIVER_AT)
    const number = bytes.readUIntBE(NUMBER_AT, NUMBER_BYTES)
    const known = this.#senders.get(name)
    if (name === this.#self || known?.window.isNew(number) === false) throw invalid('replayed')
    const sender = known ?? new Sender(name)
    const packet = decrypted(bytes, sender.keyOf(key, this.#purpose), number)
    sender.window.take(number)
    this.#remember(name, sender)
    const receiver = bytes.toString('hex', RECEIVER_AT, NUMBER_AT)
    return { packet, sender: name, isForUs: receiver === this.#self || receiver === ANYONE }
  }

  /** Throws PACKET_INVALID if no key of ours has sealed it. */
  #keyOf(bytes: Buffer): ClusterKey {
    if (bytes[0] !== SEALED)
      throw invalid(isPlain(bytes) ? 'not sealed, and this node has a key' : 'no packet')
    if (bytes.length < PACKET_AT + TAG_BYTES) throw invalid('truncated')
    const key = this.#keys.get(bytes.toString('hex', 1, SENDER_AT))
    if (key === undefined) throw invalid('sealed with another key')
    return key
  }

  #remember(name: string, sender: Sender): void {
    this.#senders.delete(name)
    this.#senders.set(name, sender)
    if (this.#senders.size <= this.#sendersMax) return
    this.#senders.delete(this.#senders.keys().next().value!)
    this.forgotten++
  }
}

/** An instance that seals: its keys, one for each cluster key, and the numbers it has used. */
class Sender {
  readonly window = new ReplayWindow()
  readonly #instance: Buffer
  readonly #keys = new WeakMap<ClusterKey, KeyObject>()

  constructor(instance: string) {
    this.#instance = Buffer.from(instance, 'hex')
  }

  keyOf(key: ClusterKey, purpose: string): KeyObject {
    let derived = this.#keys.get(key)
    if (derived === undefined) {
      derived = createSecretKey(key.derive(purpose, this.#instance))
      this.#keys.set(key, derived)
    }
    return derived
  }
}

function decrypted(bytes: Buffer, key: KeyObject, number: number): Uint8Array {
  const end = bytes.length - TAG_BYTES
  const decipher = createDecipheriv(CIPHER, key, nonceOf(number), TAG)
  decipher.setAAD(bytes.subarray(0, PACKET_AT))
  decipher.setAuthTag(bytes.subarray(end))
  const packet = decipher.update(bytes.subarray(PACKET_AT, end))
  try {
    decipher.final()
  } catch (cause) {
    throw new ShoalError('PACKET_INVALID', { reason: 'forged or damaged' }, cause)
  }
  return packet
}

function nonceOf(number: number): Buffer {
  const nonce = Buffer.alloc(NONCE_BYTES)
  nonce.writeUIntBE(number, NONCE_BYTES - NUMBER_BYTES, NUMBER_BYTES)
  return nonce
}

/** Whether a node without keys has sent it. */
function isPlain(bytes: Uint8Array): boolean {
  try {
    checksumSeal.open(bytes)
    return true
  } catch {
    return false
  }
}

function invalid(reason: string): ShoalError {
  return new ShoalError('PACKET_INVALID', { reason })
}
