// How the system asks a process to stop: the first signal politely, a second one at once.
import { constants } from 'node:os'

export type StopSignal = 'SIGINT' | 'SIGTERM' | 'SIGHUP'

const SIGNALS: readonly StopSignal[] = ['SIGINT', 'SIGTERM', 'SIGHUP']
/** Where SIGHUP asks for something else. */
export const SIGNALS_BUT_HUP: readonly StopSignal[] = ['SIGINT', 'SIGTERM']
/** npm passes on the SIGINT that a terminal has sent to both: what comes so soon after is the same signal. */
const ECHO_MS = 500

/** What `StopSignals` needs of `process`. */
export interface SignalSource {
  on(signal: StopSignal, listener: () => void): unknown
  off(signal: StopSignal, listener: () => void): unknown
}

export class StopSignals {
  /** Settles at the first signal. */
  readonly first: Promise<StopSignal>
  readonly #source: SignalSource
  readonly #listeners = new Map<StopSignal, () => void>()

  /** `again` is called at every later signal, with the exit code it stands for. `now` is in ms. */
  constructor(
    source: SignalSource,
    now: () => number,
    again: (exitCode: number) => void,
    signals: readonly StopSignal[] = SIGNALS
  ) {
    this.#source = source
    let firstAt = Number.NaN
    this.first = new Promise(resolve => {
      for (const signal of signals) {
        const listener = (): void => {
          if (Number.isNaN(firstAt)) {
            firstAt = now()
            resolve(signal)
          } else if (now() - firstAt > ECHO_MS) again(128 + constants.signals[signal])
        }
        this.#listeners.set(signal, listener)
        source.on(signal, listener)
      }
    })
  }

  /** Leaves the signals to the system again. */
  release(): void {
    for (const [signal, listener] of this.#listeners) this.#source.off(signal, listener)
  }
}
