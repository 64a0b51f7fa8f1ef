// All that the broker takes from the outside world, in one object handed to its constructor.
import type { Clock } from './clock.ts'
import type { Log } from './log.ts'
import type { Network } from './network.ts'
import type { Random } from './random.ts'

export interface Runtime {
  clock: Clock
  random: Random
  network: Network
  log: Log
}
