// The leases of the services that this node owns: one timer each. A lease that is not renewed in time is told, and then its
// instance is taken from the record of its service. Renewals are not copied: a new owner gives every lease its full time again, so that
// one lives on for twice its time at most.
import type { Clock, Timer } from '../../runtime/clock.ts'

export interface LeaseTerm {
  /** Which registration this is: another one of the same instance has another. */
  readonly lease: string
  readonly ttlMs: number
}

interface Running {
  readonly lease: string
  readonly ttlMs: number
  timer: Timer
  isExpired: boolean
}

const NO_TIMER: Timer = { cancel: () => {} }

/** An instance that is still there so long after its lease has expired is told again. */
const AGAIN_MS = 1000

export class Leases {
  readonly #clock: Clock
  readonly #expired: (service: string, instance: string, lease: string) => void
  readonly #services = new Map<string, Map<string, Running>>()
  expired = 0

  constructor(clock: Clock, expired: (service: string, instance: string, lease: string) => void) {
    this.#clock = clock
    this.#expired = expired
  }

  /** The instances of a service as they are now. Leases that are new begin; those that were there go on. */
  set(service: string, terms: ReadonlyMap<string, LeaseTerm>): void {
    const running = this.#services.get(service) ?? new Map<string, Running>()
    for (const [instance, { lease, timer }] of running) {
      if (terms.get(instance)?.lease === lease) continue
      timer.cancel()
      running.delete(instance)
    }
    for (const [instance, { lease, ttlMs }] of terms) {
      if (running.has(instance)) continue
      const started = { lease, ttlMs, timer: NO_TIMER, isExpired: false }
      running.set(instance, started)
      this.#start(service, instance, started)
    }
    if (running.size === 0) this.#services.delete(service)
    else this.#services.set(service, running)
  }

  /** False when there is no such lease: the holder has to register again. */
  renew(service: string, instance: string, lease: string): boolean {
    const running = this.#services.get(service)?.get(instance)
    if (running?.lease !== lease || running.isExpired) return false
    running.timer.cancel()
    this.#start(service, instance, running)
    return true
  }

  /** The service is another node's now. */
  forget(service: string): void {
    this.set(service, new Map())
  }

  close(): void {
    for (const service of [...this.#services.keys()]) this.forget(service)
  }

  #start(service: string, instance: string, running: Running, inMs = running.ttlMs): void {
    running.timer = this.#clock.after(inMs, () => {
      if (!running.isExpired) this.expired++
      running.isExpired = true
      this.#start(service, instance, running, AGAIN_MS)
      this.#expired(service, instance, running.lease)
    })
  }
}
