// Who publishes what to whom: a run laid out as clients, before any socket opens. Topics carry the
// run's id, so that two runs at one broker never see each other's messages.
import { ShoalError } from '../broker/errors.ts'
import type { Qos } from './client.ts'
import type { LoadOptions } from './options.ts'
import type { StampKind } from './stamp.ts'

export interface PublishPlan {
  topics: string[]
  /** Streams are numbered over the whole run; this client's are `firstStream` and on, one a topic. */
  firstStream: number
  /** Subscribers that should get each message. */
  fanout: number
  qos: Qos
  payloadBytes: number
  /** Messages in flight at most. */
  window: number
  /** Messages a write at most. */
  batch: number
  /** Open loop: the one of the plan's paces that this client keeps with others. Closed loop without. */
  pace?: number
}

export interface SubscribePlan {
  filter: string
  qos: Qos
  /** The streams that match the filter. */
  firstStream: number
  streams: number
  payloadBytesMax: number
}

/** A client that neither publishes nor subscribes is connected, and idle. */
export interface ClientPlan {
  clientId: string
  url: string
  thread: number
  publish?: PublishPlan
  subscribe?: SubscribePlan
}

/** Publishers that keep one rate together. */
export interface Pace {
  perSecond: number
  publishers: number
}

export interface Plan {
  clients: ClientPlan[]
  streams: number
  paces: Pace[]
  stamp: StampKind
  /** One line that says what this is. */
  title: string
  /** QoS and payload, as words. */
  kind: string
}

const STREAMS_MAX = 1_000_000

export const SCENARIOS = {
  'fan-out': 'few publishers, many subscribers of the same topics',
  'fan-in': 'many publishers, few subscribers with one wildcard filter',
  pairs: 'as many subscribers as publishers, each pair with its own topics',
  wildcard: 'many publishers, subscribers with filters of `+` and `#`',
  websocket: 'fan-out to browsers: 1,000 subscribers of the JSON protocol at ws://127.0.0.1:8080',
  http: 'backends: 20 publishers by POST at http://127.0.0.1:8080, 1 subscriber by MQTT'
} as const
export type ScenarioName = keyof typeof SCENARIOS

interface Shape {
  publishers: number
  subscribers: number
  /** The filter of subscriber `index`. */
  filter: (prefix: string, index: number) => string
}

function shapeOf(scenario: Exclude<ScenarioName, 'pairs'>, options: LoadOptions): Shape {
  if (scenario === 'fan-out' || scenario === 'websocket') {
    const one = options.topics === 1 && (options.publishers ?? 1) === 1
    return {
      publishers: options.publishers ?? 1,
      subscribers: options.subscribers ?? (scenario === 'websocket' ? 1_000 : 500),
      filter: prefix => (one ? `${prefix}/0/0` : `${prefix}/#`)
    }
  }
  if (scenario === 'fan-in' || scenario === 'http') {
    return {
      publishers: options.publishers ?? (scenario === 'http' ? 20 : 100),
      subscribers: options.subscribers ?? 1,
      filter: prefix => `${prefix}/#`
    }
  }
  const filters = ['+/+', '#', '+/#']
  return {
    publishers: options.publishers ?? 100,
    subscribers: options.subscribers ?? 10,
    filter: (prefix, index) => `${prefix}/${filters[index % filters.length]}`
  }
}

/** Lays out a scenario. `runId` must be new for each run. Throws `LIMIT_EXCEEDED` beyond a million streams. */
export function layOut(scenario: ScenarioName, options: LoadOptions, runId: string): Plan {
  const { topics, qos, ratePerSecond } = options
  const shape = scenario === 'pairs' ? undefined : shapeOf(scenario, options)
  const publishers = shape?.publishers ?? options.pairs
  const subscribers = shape?.subscribers ?? options.pairs
  const streams = checkStreams(publishers * topics)
  const prefix = `load/${runId}`
  const clients: ClientPlan[] = []
  for (let i = 0; i < publishers; i++) {
    clients.push({
      clientId: `${runId}-p${i}`,
      url: options.publishTo[i % options.publishTo.length]!,
      thread: i % options.threads,
      publish: {
        topics: topicsOf(prefix, i, topics),
        firstStream: i * topics,
        fanout: shape?.subscribers ?? 1,
        qos,
        payloadBytes: options.payloadBytes,
        window: options.window,
        batch: options.batch,
        ...(ratePerSecond === 0 ? {} : { pace: 0 })
      }
    })
  }
  const heard = { qos, payloadBytesMax: options.payloadBytes }
  for (let i = 0; i < subscribers; i++) {
    clients.push({
      clientId: `${runId}-s${i}`,
      url: options.subscribeAt[i % options.subscribeAt.length]!,
      thread: i % options.threads,
      subscribe: shape
        ? { ...heard, filter: shape.filter(prefix, i), firstStream: 0, streams }
        : { ...heard, filter: ownFilter(prefix, i, topics), firstStream: i * topics, streams: topics }
    })
  }
  return {
    clients,
    streams,
    paces: ratePerSecond === 0 ? [] : [{ perSecond: ratePerSecond, publishers }],
    stamp: options.stamp,
    title: titleOf(scenario, publishers, subscribers),
    kind: `QoS ${qos}, ${options.payloadBytes} bytes`
  }
}

/** The topics of publisher `index`, which differ in their last level. */
export function topicsOf(prefix: string, index: number, topics: number): string[] {
  return Array.from({ length: topics }, (_, topic) => `${prefix}/${index}/${topic}`)
}

/** The filter that matches the topics of publisher `index` alone. */
export function ownFilter(prefix: string, index: number, topics: number): string {
  return topics === 1 ? `${prefix}/${index}/0` : `${prefix}/${index}/+`
}

/** Throws `LIMIT_EXCEEDED` beyond a million. */
export function checkStreams(streams: number): number {
  if (streams > STREAMS_MAX) throw new ShoalError('LIMIT_EXCEEDED', { streams, most: STREAMS_MAX })
  return streams
}

function titleOf(scenario: ScenarioName, publishers: number, subscribers: number): string {
  if (scenario === 'pairs') return `${publishers} pairs`
  return `${counted(publishers, 'publisher')} -> ${counted(subscribers, 'subscriber')}`
}

/** `1 publisher`, `2 publishers` */
export function counted(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`
}
