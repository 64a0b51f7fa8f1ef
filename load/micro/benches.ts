// All benches there are. A part of the hot path that is changed brings its figure from here.
import type { Bench } from './bench.ts'
import { linkBenches } from './link.bench.ts'
import { mqttBenches } from './mqtt.bench.ts'
import { ringBenches } from './ring.bench.ts'
import { sealBenches } from './seal.bench.ts'
import { storeBenches } from './store.bench.ts'
import { topicsBenches } from './topics.bench.ts'
import { websocketBenches } from './websocket.bench.ts'
import { windowBenches } from './window.bench.ts'

export const BENCHES: readonly Bench[] = [
  ...ringBenches,
  ...topicsBenches,
  ...windowBenches,
  ...sealBenches,
  ...linkBenches,
  ...mqttBenches,
  ...websocketBenches,
  ...storeBenches
]
