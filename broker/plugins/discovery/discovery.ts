// A registry of services on a ring. An instance is registered for as long as its holder renews its lease; who watches a service is
// told who is there, who comes and who goes. The record of a service is at two nodes and moves as keys of kv do.
import { ShoalError } from '../../errors.ts'
import type { Plugin, Upring } from '../../upring/api.ts'
import type { ReceivedMessage } from '../../upring/message.ts'
import { mustBeKey, type RecordsOptions, recordsOptionsOf } from '../records/options.ts'
import { Records, type RecordsStatus } from '../records/records.ts'
import { Lease } from './lease.ts'
import { Leases } from './leases.ts'
import { decodeService, encodeService, instancesOf, type ServiceInstance } from './service.ts'
import { ServiceWatch } from './watch.ts'

export interface DiscoveryOptions extends Partial<RecordsOptions> {
  /** Instances of one service; one more fails with LIMIT_EXCEEDED. Default 1000. Their record is one value: `valueBytesMax`. */
  readonly instancesMax?: number
  /** Leases that this node holds; one more fails with LIMIT_EXCEEDED. Default 10,000. */
  readonly leasesMax?: number
}

export interface RegisterOptions {
  /** Without a renewal for so long, the instance is gone; renewals come by themselves. 100 ms to a day. Default 10,000. */
  readonly ttlMs?: number
  /** What the instance says of itself, such as an address: what MessagePack can carry. */
  readonly meta?: unknown
}

export interface Discovery {
  /**
   * Settles when the instance is registered, at two nodes. Registered under the same name by another holder, it is that one's no
   * more. Fails with LIMIT_EXCEEDED, PAYLOAD_TOO_LARGE, BAD_REQUEST, OPTION_INVALID, and as `Upring.request`.
   */
  register(service: string, instance: string, options?: RegisterOptions): Promise<Lease>
  /** The instances that there are now, ordered by name. Fails as `Upring.request`. */
  lookup<Meta = unknown>(service: string): Promise<ServiceInstance<Meta>[]>
  /** A stream of `ServiceEvent`s: first those that are there, then what changes. Throws BAD_REQUEST, LIMIT_EXCEEDED. */
  watch(service: string): ServiceWatch
  readonly status: RecordsStatus
}

/** `upring.use(discovery)`; from `up` on there is `upring.discovery`. */
export const discovery: Plugin<DiscoveryOptions> = async (upring, options) => {
  if ('discovery' in upring) throw new ShoalError('OPTION_INVALID', { use: 'discovery is there already' })
  const { instancesMax = 1000, leasesMax = 10_000, ...records } = options
  const node = new DiscoveryNode(upring, recordsOptionsOf('discovery', records), instancesMax, leasesMax)
  Object.defineProperty(upring, 'discovery', { value: node })
  upring.onClose(() => node.close())
}

/** `upring.discovery`, typed. Throws OPTION_INVALID before the plugin is loaded. */
export function discoveryOf(upring: Upring): Discovery {
  if ('discovery' in upring && upring.discovery instanceof DiscoveryNode) return upring.discovery
  throw new ShoalError('OPTION_INVALID', { use: 'discovery is not loaded' })
}

const TTL_MS = 10_000
const TTL_MS_MIN = 100
const TTL_MS_MAX = 86_400_000

class DiscoveryNode implements Discovery {
  readonly #upring: Upring
  readonly #records: Records
  readonly #leases: Leases
  readonly #instancesMax: number
  readonly #leasesMax: number
  readonly #held = new Set<Lease>()
  readonly #watches = new Set<ServiceWatch>()
  readonly #startedAt: number
  #registrations = 0

  constructor(upring: Upring, options: RecordsOptions, instancesMax: number, leasesMax: number) {
    this.#upring = upring
    this.#instancesMax = instancesMax
    this.#leasesMax = leasesMax
    this.#startedAt = upring.clock.wall()
    this.#leases = new Leases(upring.clock, (service, instance, lease) => {
      this.#remove(service, instance, lease).catch(error =>
        upring.log.debug({ service, instance, error }, 'lease not ended')
      )
    })
    this.#records = new Records(upring, options, {
      seen: ({ key, value }) => this.#leases.set(key, decodeService(value)),
      lost: key => this.#leases.forget(key)
    })
    const ns = `ns:${options.namespace}`
    upring.add(`${ns},cmd:register`, async request => await this.#register(request))
    upring.add(`${ns},cmd:renew`, async request => await this.#renew(request))
    upring.add(`${ns},cmd:release`, async request => {
      const { key, instance, lease } = request
      await this.#remove(mustBeKey(key), mustBeKey(instance), mustBeKey(lease))
      return {}
    })
    upring.add(`${ns},cmd:lookup`, async ({ key }) => {
      const { value } = await this.#records.read(mustBeKey(key))
      return { instances: instancesOf(decodeService(value)) }
    })
    upring.add(`${ns},cmd:liveUpdates`, async ({ key }) => ({
      streams: { updates: await this.#records.watch(mustBeKey(key)) }
    }))
  }

  get status(): RecordsStatus {
    return this.#records.status
  }

  async register(service: string, instance: string, options: RegisterOptions = {}): Promise<Lease> {
    const { ttlMs = TTL_MS, meta } = options
    mustBeKey(service)
    mustBeKey(instance)
    if (!Number.isFinite(ttlMs) || ttlMs < TTL_MS_MIN || ttlMs > TTL_MS_MAX)
      throw new ShoalError('OPTION_INVALID', {
        option: 'ttlMs',
        value: ttlMs,
        allowed: `${TTL_MS_MIN} to a day`
      })
    if (this.#held.size >= this.#leasesMax)
      throw new ShoalError('LIMIT_EXCEEDED', { limit: 'leasesMax', max: this.#leasesMax })
    const id = `${this.#upring.whoami()}/${this.#startedAt}/${++this.#registrations}`
    const { namespace } = this.#records.options
    const ended = (ended: Lease): void => void this.#held.delete(ended)
    const lease = new Lease(id, { upring: this.#upring, namespace, service, instance, ttlMs, meta, ended })
    this.#held.add(lease)
    await lease.start()
    return lease
  }

  async lookup<Meta>(service: string): Promise<ServiceInstance<Meta>[]> {
    const request = { ns: this.#records.options.namespace, cmd: 'lookup', key: mustBeKey(service) }
    const { instances } = await this.#upring.request<{ instances: ServiceInstance<Meta>[] }>(request)
    return instances
  }

  watch(service: string): ServiceWatch {
    mustBeKey(service)
    const { namespace, watchersMax } = this.#records.options
    if (this.#watches.size >= watchersMax)
      throw new ShoalError('LIMIT_EXCEEDED', { limit: 'watchersMax', max: watchersMax })
    const watch = new ServiceWatch(this.#upring, namespace, service)
    this.#watches.add(watch)
    watch.once('close', () => this.#watches.delete(watch))
    return watch
  }

  /** Releases what this node holds, and hands over what it owns. */
  async close(): Promise<void> {
    for (const watch of this.#watches) watch.finish()
    await Promise.allSettled([...this.#held].map(lease => lease.release()))
    this.#leases.close()
    await this.#records.close()
  }

  async #register({ key, instance, lease, ttlMs, meta }: ReceivedMessage): Promise<object> {
    const service = mustBeKey(key)
    const name = mustBeKey(instance)
    const id = mustBeKey(lease)
    if (typeof ttlMs !== 'number' || ttlMs < TTL_MS_MIN || ttlMs > TTL_MS_MAX)
      throw new ShoalError('BAD_REQUEST', { expected: 'ttlMs' })
    await this.#records.write(service, value => {
      const instances = decodeService(value)
      if (!instances.has(name) && instances.size >= this.#instancesMax)
        throw new ShoalError('LIMIT_EXCEEDED', { limit: 'instancesMax', max: this.#instancesMax })
      return encodeService(instances.set(name, { lease: id, ttlMs, meta }))
    })
    return {}
  }

  /** Leases run at the owner only, who is asked to be sure that it is. */
  async #renew({ key, instance, lease }: ReceivedMessage): Promise<object> {
    const service = mustBeKey(key)
    const name = mustBeKey(instance)
    const { value } = await this.#records.read(service)
    const now = decodeService(value).get(name)?.lease
    if (now !== undefined && now !== lease) return { isReplaced: true }
    return { isKnown: this.#leases.renew(service, name, mustBeKey(lease)) }
  }

  /** Does nothing when the instance has been registered again since. */
  async #remove(service: string, instance: string, lease: string): Promise<void> {
    await this.#records.write(service, value => {
      const instances = decodeService(value)
      if (instances.get(instance)?.lease !== lease) return value
      instances.delete(instance)
      return encodeService(instances)
    })
  }
}
