// Patterns that every instance answers once it answers any: memory, information, and a sample of the keys that it is
// asked for.
// Source: upring's monitoring.
import { Readable } from 'node:stream'
import type { Clock, Timer } from '../runtime/clock.ts'
import type { Upring } from './api.ts'
import type { ReceivedMessage } from './message.ts'

/** A sample is told every so often; it holds so many keys, the latest first. */
const SAMPLE_MS = 500
const SAMPLE_KEYS_MAX = 100

export function addMonitoring(upring: Upring, clock: Clock): void {
  upring.add('ns:monitoring,cmd:memoryUsage', async () => ({ ...process.memoryUsage() }))
  upring.add('ns:monitoring,cmd:info', async () => ({
    id: upring.whoami(),
    upring: upring.mymeta().meta.upring,
    ...upring.info
  }))
  upring.add('ns:monitoring,cmd:trace', async () => ({ streams: { trace: new Trace(upring, clock) } }))
}

interface Sampled {
  readonly key: unknown
  readonly hash: number
}

/** Objects `{ id, keys }`. While its reader is slow, samples are left out. */
class Trace extends Readable {
  readonly #upring: Upring
  readonly #timer: Timer
  /** By hash, in the order in which they came. */
  #sample = new Map<number, Sampled>()

  constructor(upring: Upring, clock: Clock) {
    super({ objectMode: true })
    this.#upring = upring
    upring.on('prerequest', this.#take)
    this.#timer = clock.every(SAMPLE_MS, () => this.#tell())
  }

  override _read(): void {}

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#upring.off('prerequest', this.#take)
    this.#timer.cancel()
    done(error)
  }

  #take = ({ key }: ReceivedMessage): void => {
    if (key === undefined || this.#sample.size >= SAMPLE_KEYS_MAX) return
    let hash: number
    try {
      hash = this.#upring.hash(key)
    } catch {
      return
    }
    if (!this.#upring.allocatedToMe(hash)) return
    this.#sample.delete(hash)
    this.#sample.set(hash, { key, hash })
  }

  #tell(): void {
    const keys = [...this.#sample.values()].reverse()
    this.#sample = new Map()
    if (this.readableLength < this.readableHighWaterMark) this.push({ id: this.#upring.whoami(), keys })
  }
}
