// Packets on their way out and in. Whatever is sent to a member carries as many rumours as there is
// room for; whatever comes in is opened and decoded whole before any of it is believed.
// Source: SWIM (DSN 2002), section 4.1: dissemination rides on the failure detector's packets.
import type { Address } from '../runtime/network.ts'
import { decodePacket, encodePacket, HEADER_BYTES, type SwimMessage } from './codec.ts'
import { PACKET_BYTES_MAX } from './config.ts'
import type { SwimCounters } from './counters.ts'
import type { GossipQueue } from './gossip.ts'
import type { Seal } from './seal.ts'
import type { Strangers } from './strangers.ts'

/** Where packets go, and to which process there; it is not known of one whose packets do not tell. */
export interface Destination extends Address {
  readonly instance?: string
}

export interface Incoming {
  readonly messages: readonly SwimMessage[]
  readonly sender: Destination
  /** False: meant for the process that was here before us, and perhaps long ago. */
  readonly isForUs: boolean
}

export interface PacketsOptions {
  /** Packets of another ring are not valid here. */
  ring: number
  seal: Seal
  gossip: GossipQueue
  /** How often a rumour is sent, at the cluster's present size. */
  retransmits: () => number
  send: (packet: Uint8Array, to: Address) => void
  counters: SwimCounters
  strangers: Strangers
}

export class Packets {
  readonly #options: PacketsOptions
  readonly #spaceBytes: number

  constructor(options: PacketsOptions) {
    this.#options = options
    this.#spaceBytes = PACKET_BYTES_MAX - options.seal.overheadBytes - HEADER_BYTES
  }

  /** Sends messages in as few packets as they fit in, and rumours in the space that is left in the last one. */
  post(to: Destination, messages: readonly Uint8Array[]): void {
    let batch: Uint8Array[] = []
    let space = this.#spaceBytes
    for (const message of messages) {
      if (message.length > space) {
        this.#dispatch(to, batch)
        batch = []
        space = this.#spaceBytes
      }
      batch.push(message)
      space -= message.length
    }
    batch.push(...this.#options.gossip.take(space, this.#options.retransmits()))
    this.#dispatch(to, batch)
  }

  /** Whether there are rumours that few have been told of. */
  get urgent(): boolean {
    return this.#options.gossip.isUrgent(this.#options.retransmits())
  }

  /** Sends a packet of rumours. Does nothing when none waits. */
  postGossip(to: Destination): void {
    const rumours = this.#options.gossip.take(this.#spaceBytes, this.#options.retransmits())
    if (rumours.length > 0) this.#dispatch(to, rumours)
  }

  /** What a packet holds; null (and counted) if it is not valid. */
  open(sealed: Uint8Array, { host, port }: Address): Incoming | null {
    const { ring, seal, counters, strangers } = this.#options
    counters.packetsIn++
    counters.bytesIn += sealed.length
    try {
      const { packet, sender, isForUs } = seal.open(sealed)
      const messages = decodePacket(ring, packet)
      if (!isForUs) counters.packetsStray++
      return { messages, sender: sender === '' ? { host, port } : { host, port, instance: sender }, isForUs }
    } catch (error) {
      strangers.refused(error, { host, port })
      return null
    }
  }

  #dispatch(to: Destination, messages: readonly Uint8Array[]): void {
    const { ring, seal, counters, send } = this.#options
    const packet = seal.seal(encodePacket(ring, messages), to.instance)
    counters.packetsOut++
    counters.bytesOut += packet.length
    send(packet, { host: to.host, port: to.port })
  }
}
