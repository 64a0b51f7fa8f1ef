// Packets that are not for this ring, or not of it: counted, and told to the operator where he may have set something
// wrong. Nothing else is done about them.
import { ShoalError } from '../errors.ts'
import type { Clock } from '../runtime/clock.ts'
import { LimitedLog } from '../runtime/limited-log.ts'
import type { Log } from '../runtime/log.ts'
import type { Address } from '../runtime/network.ts'
import type { SwimCounters } from './counters.ts'

/** Reasons of PACKET_INVALID that a wrong option, or an attacker, causes. The others are noise. */
const TOLD: ReadonlySet<unknown> = new Set([
  'sealed with another key',
  'sealed with a key, and this node has none',
  'not sealed, and this node has a key',
  'forged or damaged',
  'of another ring',
  'unknown version'
])

export class Strangers {
  readonly #counters: SwimCounters
  readonly #log: LimitedLog

  constructor(counters: SwimCounters, log: Log, clock: Clock) {
    this.#counters = counters
    this.#log = new LimitedLog(log, clock)
  }

  /** A packet from `from` was not taken because of `error`. Rethrows what is not PACKET_INVALID: a bug of ours. */
  refused(error: unknown, from: Address): void {
    if (!(error instanceof ShoalError && error.code === 'PACKET_INVALID')) throw error
    const { reason } = error.fields
    if (reason === 'replayed') {
      this.#counters.packetsReplayed++
      return
    }
    this.#counters.packetsInvalid++
    if (TOLD.has(reason)) this.#log.warn(`${from.host} ${reason}`, { from, reason }, 'gossip refused')
  }
}
