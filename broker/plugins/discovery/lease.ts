// The holder's end of a registration: renews it three times within its time, and registers again when the owner of the service does
// not know of it any more, as after a pause that was longer than the lease. It ends when somebody else has registered the instance.
import { ShoalError } from '../../errors.ts'
import type { Timer } from '../../runtime/clock.ts'
import type { Upring } from '../../upring/api.ts'

/** Of the lease's time, after which it is renewed. */
const RENEW_PART = 1 / 3

export interface LeaseParts {
  readonly upring: Upring
  readonly namespace: string
  readonly service: string
  readonly instance: string
  readonly ttlMs: number
  meta: unknown
  ended(lease: Lease): void
}

export class Lease {
  readonly service: string
  readonly instance: string
  readonly ttlMs: number
  readonly #parts: LeaseParts
  readonly #id: string
  #timer: Timer | null = null
  #isReleased = false
  /** How often the owner did not know the lease any more. */
  lost = 0
  /** The instance was registered again, by another holder: this lease has ended. Noticed at a renewal. */
  replaced = false

  /** `id` is another one for each registration in the cluster. */
  constructor(id: string, parts: LeaseParts) {
    this.service = parts.service
    this.instance = parts.instance
    this.ttlMs = parts.ttlMs
    this.#id = id
    this.#parts = parts
  }

  get released(): boolean {
    return this.#isReleased
  }

  /** Registers, and goes on renewing. Fails as `Upring.request`, and with LIMIT_EXCEEDED, PAYLOAD_TOO_LARGE. */
  async start(): Promise<void> {
    try {
      await this.#register()
    } catch (error) {
      await this.release().catch(() => {})
      throw error
    }
  }

  /** Changes what the instance says of itself; watchers are told `changed`. Fails as `start`, and with CLOSED once it is released. */
  async update(meta: unknown): Promise<void> {
    if (this.#isReleased) throw new ShoalError('CLOSED', { instance: this.instance })
    this.#parts.meta = meta
    await this.#register()
  }

  /** At once, besides the renewals that come by themselves. Fails as `Upring.request`, and with CLOSED once it is released. */
  async renew(): Promise<void> {
    if (this.#isReleased) throw new ShoalError('CLOSED', { instance: this.instance })
    this.#timer?.cancel()
    try {
      const { isKnown, isReplaced } = await this.#ask('renew')
      if (this.#isReleased) return
      if (isReplaced === true) {
        this.replaced = true
        this.#end()
      } else if (isKnown !== true) {
        this.lost++
        await this.#register()
      }
    } finally {
      this.#schedule()
    }
  }

  /** Takes the instance from its service. Twice is as once. Should it fail, the lease runs out by itself. */
  async release(): Promise<void> {
    if (this.#isReleased) return
    this.#end()
    await this.#ask('release')
  }

  #end(): void {
    this.#isReleased = true
    this.#timer?.cancel()
    this.#parts.ended(this)
  }

  async #register(): Promise<void> {
    await this.#ask('register', { ttlMs: this.ttlMs, meta: this.#parts.meta })
    this.#schedule()
  }

  #schedule(): void {
    this.#timer?.cancel()
    if (this.#isReleased) return
    const { upring } = this.#parts
    this.#timer = upring.clock.after(this.ttlMs * RENEW_PART, () => {
      this.renew().catch(error =>
        upring.log.warn({ service: this.service, instance: this.instance, error }, 'lease not renewed')
      )
    })
  }

  async #ask(cmd: string, fields: object = {}): Promise<Record<string, unknown>> {
    const { upring, namespace: ns } = this.#parts
    const { service: key, instance } = this
    // An answer that comes later than the lease is none.
    const timeoutMs = Math.max(1000, this.ttlMs)
    return await upring.request({ ns, cmd, key, instance, lease: this.#id, ...fields }, { timeoutMs })
  }
}
