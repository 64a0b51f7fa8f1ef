// upring.use(discovery): who offers which service, by leases, and who comes and goes.
export type { RecordsStatus } from '../records/records.ts'
export {
  type Discovery,
  type DiscoveryOptions,
  discovery,
  discoveryOf,
  type RegisterOptions
} from './discovery.ts'
export type { Lease } from './lease.ts'
export type { ServiceInstance } from './service.ts'
export type { ServiceEvent, ServiceWatch } from './watch.ts'
