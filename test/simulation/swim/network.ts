// The network of a large cohort: datagrams that get lost, questions that do not, two sides that cannot reach
// each other, and hosts whose messages are held up. It keeps nothing for each pair of hosts, since there may
// be a million pairs.
import assert from 'node:assert/strict'
import { PACKET_BYTES_MAX } from '../../../broker/swim/config.ts'
import type { SimulatedProcess } from '../process.ts'
import type { SeededRandom } from '../random.ts'
import type { Timeline } from '../timeline.ts'

/** Delay of one way, evenly drawn: two machines of one data centre. */
const DELAY_MS = [0.2, 1] as const
/** How late what a stream has to send again comes: Linux's least retransmission timeout, doubled at each further loss. */
const RETRANSMIT_MS = 200
/** Linux's default net.core.rmem_default: what waits for a process that does not read. */
const RECEIVE_BUFFER_BYTES_MAX = 212_992

/** A host's place in the network. */
export class Port {
  readonly process: SimulatedProcess
  /** Hosts reach each other if their sides are the same. */
  side = 0
  /** Counted when sent: what questions and answers were long, in bytes. */
  streamBytesOut = 0
  waitingBytes = 0
  /** While not null, nothing is sent or received: it waits here, and its timers run on. */
  held: (() => void)[] | null = null

  constructor(process: SimulatedProcess) {
    this.process = process
  }

  /** Messages wait from now on: Lifeguard's anomaly, a process too slow to handle its messages. */
  hold(): void {
    this.held ??= []
  }

  /** All that waited happens now, in its order. */
  release(): void {
    const held = this.held ?? []
    this.held = null
    for (const happen of held) happen()
  }
}

export class LossyNetwork {
  /** Share of datagrams and of a stream's segments that are lost, 0 to 1. */
  loss = 0
  readonly #timeline: Timeline
  readonly #random: SeededRandom
  readonly #onSettled: () => void

  /** `onSettled` is called after a question's promise was settled: those who wait for it want their turn. */
  constructor(timeline: Timeline, random: SeededRandom, onSettled: () => void) {
    this.#timeline = timeline
    this.#random = random
    this.#onSettled = onSettled
  }

  datagram(from: Port, to: Port, packet: Uint8Array, receive: (packet: Uint8Array) => void): void {
    assert(packet.length <= PACKET_BYTES_MAX, `a packet of ${packet.length} bytes`)
    if (from.held !== null) {
      from.held.push(() => this.datagram(from, to, packet, receive))
      return
    }
    if (this.#random.chance(this.loss)) return
    this.#later(from, to, this.#delay(), () => this.#arrive(to, packet, receive))
  }

  /** Asks over a stream that stands: it is late when segments are lost, and fails only if there is no answer in time. */
  ask(
    from: Port,
    to: Port,
    question: Uint8Array,
    timeoutMs: number,
    answer: (question: Uint8Array) => Uint8Array
  ): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      const settle = (run: () => void): void => {
        this.#timeline.cancel(deadline)
        from.process.enter(() => {
          run()
          this.#onSettled()
        })
      }
      const deadline = this.#timeline.at(this.#timeline.now + timeoutMs, from.process.host, 'timeout', () =>
        settle(() => reject(new Error('no answer')))
      )
      from.streamBytesOut += question.length
      this.#segment(from, to, () => {
        let reply: Uint8Array
        try {
          reply = answer(question)
        } catch (error) {
          this.#segment(to, from, () => settle(() => reject(error)))
          return
        }
        to.streamBytesOut += reply.length
        this.#segment(to, from, () => settle(() => resolve(reply)))
      })
    })
  }

  #segment(from: Port, to: Port, arrive: () => void): void {
    if (from.held !== null) {
      from.held.push(() => this.#segment(from, to, arrive))
      return
    }
    let delayMs = this.#delay()
    for (let waitMs = RETRANSMIT_MS; this.#random.chance(this.loss); waitMs *= 2) delayMs += waitMs
    this.#later(from, to, delayMs, () => {
      if (to.held !== null) to.held.push(arrive)
      else to.process.enter(arrive)
    })
  }

  #later(from: Port, to: Port, delayMs: number, arrive: () => void): void {
    if (from.side !== to.side) return
    this.#timeline.at(this.#timeline.now + delayMs, to.process.host, 'arrival', () => {
      if (from.side === to.side) arrive()
    })
  }

  #arrive(to: Port, packet: Uint8Array, receive: (packet: Uint8Array) => void): void {
    if (to.waitingBytes + packet.length > RECEIVE_BUFFER_BYTES_MAX) return
    to.waitingBytes += packet.length
    const read = (): void => {
      to.waitingBytes -= packet.length
      receive(packet)
    }
    if (to.held !== null) to.held.push(() => to.process.enter(read))
    else to.process.enter(read)
  }

  #delay(): number {
    return this.#random.between(DELAY_MS[0], DELAY_MS[1])
  }
}
