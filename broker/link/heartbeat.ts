// Keeps a quiet link alive, and notices one that has died. Silence is counted in beats, not in time: a process
// that was itself stopped for a while has not listened, and must not take that for the silence of its peers.
import type { Clock, Timer } from '../runtime/clock.ts'
import { FRAME } from './frame.ts'
import type { LinkLimits } from './options.ts'
import type { Reader } from './reader.ts'
import type { Writer } from './writer.ts'

export class Heartbeat {
  readonly #reader: Reader
  readonly #writer: Writer
  readonly #periodMs: number
  readonly #silentBeatsMax: number
  readonly #onSilence: (silentMs: number) => void
  readonly #timer: Timer
  #bytesIn: number
  #framesOut: number
  #silentBeats = 0

  /** Calls `onSilence` once nothing at all was read for `silenceMs`, up to one `heartbeatMs` later. */
  constructor(
    clock: Clock,
    limits: Pick<LinkLimits, 'heartbeatMs' | 'silenceMs'>,
    reader: Reader,
    writer: Writer,
    onSilence: (silentMs: number) => void
  ) {
    this.#reader = reader
    this.#writer = writer
    this.#periodMs = limits.heartbeatMs
    this.#silentBeatsMax = Math.ceil(limits.silenceMs / limits.heartbeatMs)
    this.#onSilence = onSilence
    this.#bytesIn = reader.bytesIn
    this.#framesOut = writer.framesOut
    this.#timer = clock.every(limits.heartbeatMs, () => this.#beat())
  }

  stop(): void {
    this.#timer.cancel()
  }

  #beat(): void {
    if (this.#writer.framesOut === this.#framesOut) this.#writer.empty(FRAME.HEARTBEAT)
    this.#framesOut = this.#writer.framesOut
    if (this.#reader.bytesIn !== this.#bytesIn) {
      this.#bytesIn = this.#reader.bytesIn
      this.#silentBeats = 0
      return
    }
    this.#silentBeats++
    if (this.#silentBeats > this.#silentBeatsMax) this.#onSilence(this.#silentBeats * this.#periodMs)
  }
}
