// `shoal/aedes`: brokers of aedes in several processes as one cluster, with nothing beside them.
//
//     import { Aedes } from 'aedes'
//     import { aedesOnRing } from 'shoal/aedes'
//
//     const { mq, persistence, close } = await aedesOnRing({ base: ['10.0.0.1:7979'], host: '10.0.0.2', port: 7979 })
//     const broker = await Aedes.createBroker({ mq, persistence })
import { pino } from 'pino'
import { type Broker, type BrokerOptions, createBroker } from '../../broker/broker.ts'
import { ShoalError } from '../../broker/errors.ts'
import type { Log } from '../../broker/runtime/log.ts'
import { nodeRuntime } from '../../broker/runtime/node.ts'
import { type EmitterOptions, RingEmitter } from './emitter.ts'
import { AedesNode } from './node.ts'
import { RingPersistence } from './persistence.ts'
import type { TableLimits } from './table.ts'
import { Wills } from './wills.ts'

export type { Emitted, EmitterCallback, EmitterListener, EmitterOptions } from './emitter.ts'
export { RingEmitter } from './emitter.ts'
export type { Packet } from './packet.ts'
export type { AedesBroker, Client } from './persistence.ts'
export { RingPersistence } from './persistence.ts'

export interface AedesOptions extends Partial<TableLimits> {
  /** Nodes to join, as `host:port`; none: start a ring. */
  base?: string | readonly string[]
  /** Name of the ring. All its nodes are of `aedesOnRing`. Default `aedes`. */
  name?: string
  /** Where the node listens, UDP and TCP, and is reached by the others. Default `127.0.0.1`. */
  host?: string
  /** Default 0: any that is free for both. */
  port?: number
  /** Whatever else a broker can be told: `preset`, keys, `advertiseHost`. */
  cluster?: Partial<BrokerOptions>
  /** A broker that has not been started, instead of all the above. It is started, and closed, here. */
  broker?: Broker
  emitter?: Partial<EmitterOptions>
  /** Calls of the persistence that are not answered; one more fails with LIMIT_EXCEEDED. Default 100,000. */
  operationsMax?: number
  /** Default: pino, `info`. */
  logger?: Log
  logLevel?: string
}

/** Of `TableLimits`. */
const LIMITS: Readonly<TableLimits> = {
  itemsMax: 1_000_000,
  subscriptionsMax: 10_000,
  queueMax: 10_000,
  sessionBytesMax: 8 * 1024 * 1024
}
/** A session travels in a frame of 16 MiB, with its subscriptions. */
const SESSION_BYTES_MOST = 12 * 1024 * 1024
const OPERATIONS_MAX = 100_000

/** What aedes is given, and what it stands on. */
export interface AedesOnRing {
  readonly mq: RingEmitter
  readonly persistence: RingPersistence
  /** The node of the ring. */
  readonly broker: Broker
  /** Counted since the start. */
  status(): Record<string, number>
  /** After aedes is closed: leaves the ring, hands over what is kept here, and closes the node. */
  close(): Promise<void>
}

/** Settles when the node is on the ring. Rejects: OPTION_INVALID, PORT_IN_USE, JOIN_FAILED, CLOSED. */
export async function aedesOnRing(options: AedesOptions = {}): Promise<AedesOnRing> {
  const limits: TableLimits = {
    itemsMax: options.itemsMax ?? LIMITS.itemsMax,
    subscriptionsMax: options.subscriptionsMax ?? LIMITS.subscriptionsMax,
    queueMax: options.queueMax ?? LIMITS.queueMax,
    sessionBytesMax: options.sessionBytesMax ?? LIMITS.sessionBytesMax
  }
  if (limits.sessionBytesMax > SESSION_BYTES_MOST)
    throw new ShoalError('OPTION_INVALID', {
      option: 'sessionBytesMax',
      value: limits.sessionBytesMax,
      allowed: `at most ${SESSION_BYTES_MOST}`
    })
  const broker = options.broker ?? brokerOf(options)
  if (broker.ready) throw new ShoalError('OPTION_INVALID', { option: 'broker', allowed: 'not started' })
  const node = new AedesNode(broker, limits)
  const { upring, clock, log } = broker
  const operationsMax = options.operationsMax ?? OPERATIONS_MAX
  const persistence = new RingPersistence({ upring, clock, node, operationsMax })
  const wills = new Wills({ upring, node, persistence, log })
  await broker.start()
  const mq = new RingEmitter(broker, options.emitter)
  return {
    mq,
    persistence,
    broker,
    status: () => ({
      items: node.table.items.size,
      queueDropped: node.dropped,
      ...mq.counters,
      ...node.copies.counters,
      ...node.takeover.counters,
      willsPublished: wills.counters.published,
      willsFailed: wills.counters.failed
    }),
    close: () => broker.close()
  }
}

function brokerOf({
  base = [],
  name = 'aedes',
  host = '127.0.0.1',
  port = 0,
  ...options
}: AedesOptions): Broker {
  const log = options.logger ?? pino({ name: 'aedes', level: options.logLevel ?? 'info' })
  return createBroker(
    {
      name,
      clusterHost: host,
      advertiseHost: host,
      clusterPort: port,
      base: typeof base === 'string' ? [base] : base,
      ...options.cluster
    },
    nodeRuntime({ log })
  )
}
