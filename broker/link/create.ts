// From a duplex to a link: the handshake, then the link in its place.
import type { Duplex } from 'node:stream'
import type { ShoalError } from '../errors.ts'
import { Handshake, type Hello, type Refusal } from './handshake.ts'
import { Link } from './link.ts'
import { type LinkLimits, type LinkOptions, type LinkParty, limitsOf } from './options.ts'

/** What links.ts adds to a handshake, to keep one link a peer. */
export interface Admission {
  attempt: number
  admit(theirs: Hello, reply: Hello): Refusal | null
}

export interface OpenOptions {
  party: LinkParty
  limits: LinkLimits
  initiator: boolean
  expect: string | null
  admission: Admission
  /** Called once; the link's first frames are handled after it has returned. */
  done(error: ShoalError | null, link: Link | null, theirs: Hello | null): void
}

/** Shakes hands over `duplex`, and puts a link on it. The result may be abandoned until `done` is called. */
export function openLink(duplex: Duplex, options: OpenOptions): Handshake {
  const { party, limits, initiator, admission } = options
  const handshake: Handshake = new Handshake(duplex, {
    clock: party.clock,
    initiator,
    timeoutMs: limits.handshakeTimeoutMs,
    hello: {
      id: party.self.id,
      instance: party.self.instance,
      ring: party.ring,
      expect: options.expect,
      attempt: admission.attempt,
      standing: 0,
      frameBytesMax: limits.frameBytesMax,
      topicsMax: limits.topicsMax,
      streamBytes: limits.streamBytes,
      streamObjects: limits.streamObjects,
      keys: party.proof?.ids ?? [],
      nonce: party.proof?.nonce() ?? new Uint8Array(0)
    },
    proof: party.proof ?? null,
    admit: (theirs, reply) => admission.admit(theirs, reply),
    done(error, theirs) {
      if (theirs === null) options.done(error, null, null)
      else options.done(null, new Link(handshake.wire, theirs, initiator, party, limits), theirs)
    }
  })
  return handshake
}

const anyone: Admission = { attempt: 0, admit: () => null }

/**
 * A link over any duplex. Settles when the handshake is done, and hands frames over after that. Rejects with PEER_REFUSED
 * (`reason`, `ours`, `theirs`), FRAME_INVALID, FRAME_TOO_LARGE, PEER_GONE or TIMEOUT; the duplex is destroyed then.
 */
export function createLink(duplex: Duplex, options: LinkOptions): Promise<Link> {
  return new Promise((resolve, reject) => {
    const handshake: Handshake = openLink(duplex, {
      party: options,
      limits: limitsOf(options),
      initiator: options.initiator,
      expect: options.expect ?? null,
      admission: anyone,
      done(error, link) {
        if (link === null) return reject(error)
        handshake.wire.reader.hold()
        resolve(link)
        // One turn later than whoever awaits this promise.
        Promise.resolve().then(() => handshake.wire.release())
      }
    })
  })
}
