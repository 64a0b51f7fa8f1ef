// Application-level sharding: requests that find the node which owns their key, and that carry streams; events that
// tell when a key moves. The framework that the broker's own plugins are written with, and the heir of upring.
//
//   const ring = upring({ base: ['10.0.0.1:7979'] })
//   ring.add('ns:greeting,cmd:hello', async ({ name }) => ({ text: `Hello ${name}` }))
//   ring.on('up', async () => console.log(await ring.request({ ns: 'greeting', cmd: 'hello', key: 'a', name: 'you' })))
import { pino } from 'pino'
import { nodeRuntime } from './runtime/node.ts'
import type { Runtime } from './runtime/runtime.ts'
import type { Upring } from './upring/api.ts'
import { ClusterGround } from './upring/cluster-ground.ts'
import { clusterOptionsOf, groundOptionsOf, instanceOptionsOf, type UpringOptions } from './upring/options.ts'
import { UpringNode } from './upring/upring-node.ts'

export type { Tracker } from './ring/tracker.ts'
export type { Plugin, Upring, UpringEvents } from './upring/api.ts'
export type { MoveEvent, StealEvent } from './upring/changes.ts'
export type { PeerConnection } from './upring/connection.ts'
export { RequestError } from './upring/envelope.ts'
export type * from './upring/message.ts'
export type { HashringOptions, UpringOptions } from './upring/options.ts'
export type { Peer, PeerMeta } from './upring/peer.ts'

/**
 * An instance, which starts by itself: listen to `up`, or await `ready`. `runtime` is the real one unless given. Throws
 * OPTION_INVALID.
 */
export function upring(options: UpringOptions = {}, runtime?: Runtime): Upring {
  const log = options.logger ?? runtime?.log ?? pino({ name: 'upring', level: options.logLevel ?? 'info' })
  const world: Runtime = { ...(runtime ?? nodeRuntime({ log })), log }
  const cluster = clusterOptionsOf(options)
  const ground = new ClusterGround({ cluster, ...groundOptionsOf(options) }, world)
  return new UpringNode(ground, instanceOptionsOf(options, options.hashring?.hashFunc), world)
}
