// What the main thread and its workers tell each other.
import type { Config } from '../../broker/config.ts'
import type { NodeAddresses } from '../cli/node.ts'
import type { NodeFigures } from '../http/metrics.ts'

/** What a worker is made with. */
export interface WorkerParts {
  /** 0, 1, … */
  readonly index: number
  readonly config: Config
  /** Of the sockets between workers. */
  readonly folder: string
  /** See `Turns`. */
  readonly turns: SharedArrayBuffer
}

/** Ports that are open already, and the descriptor of the one of MQTT; 'off' or null for none. */
export interface OpenPorts {
  readonly mqttPort: number | 'off'
  readonly mqttFd: number | null
  readonly httpPort: number | 'off'
}

export type ToWorker =
  /** Start the node. Without `open` it is the first, and opens the ports. */
  | { readonly type: 'start'; readonly base: readonly string[]; readonly open: OpenPorts | null }
  | { readonly type: 'stop' }
  /** The process is about to end: close what must not be open then, and stand still. */
  | { readonly type: 'halt' }
  /** Read files again, as at SIGHUP. */
  | { readonly type: 'reload' }
  | { readonly type: 'tell figures'; readonly id: number }
  /** The answer to `gather`: of the other nodes, as far as they have answered. */
  | { readonly type: 'gathered'; readonly figures: readonly NodeFigures[] }

export type FromWorker =
  | {
      readonly type: 'serving'
      readonly addresses: NodeAddresses
      readonly open: OpenPorts
      readonly members: number
    }
  /** It could not start: a sentence for people. */
  | { readonly type: 'failed'; readonly sentence: string; readonly exitCode: number }
  /** It could not start, which nobody expected. */
  | { readonly type: 'broken'; readonly error: Error }
  | { readonly type: 'stopped' }
  | { readonly type: 'halted' }
  /** A bug: it has said what in the log, and does nothing more. */
  | { readonly type: 'lost' }
  | { readonly type: 'gather' }
  /** The answer to `tell figures`; null of a node that has none now. */
  | { readonly type: 'figures'; readonly id: number; readonly figures: NodeFigures | null }
