// The brokers that a comparison knows, each started fast and fair: on loopback, anonymous, without
// persistence, without limits that drop messages.
import { aedes, aedesRedis } from './aedes.ts'
import { aedesRing } from './aedes-ring.ts'
import { mosquitto } from './mosquitto.ts'
import { nats, natsCluster } from './nats.ts'
import { shoal, shoalWorkers } from './shoal.ts'
import type { BrokerKind } from './started.ts'
import { uws } from './uws.ts'

export const BROKERS = {
  shoal: shoal(1),
  'shoal-cluster': shoal(3),
  'shoal-workers': shoalWorkers(2),
  mosquitto,
  nats,
  'nats-cluster': natsCluster,
  aedes,
  'aedes-redis': aedesRedis,
  'aedes-ring': aedesRing,
  'uws-publish': uws
} as const satisfies Record<string, BrokerKind>
export type BrokerName = keyof typeof BROKERS
