// Who publishes what to whom: a scenario laid out as clients, before any socket opens. Topics carry
// the run's id, so that two runs at one broker never see each other's messages.
import { ShoalError } from '../broker/errors.ts'
import type { LoadOptions } from './options.ts'

export interface PublishPlan {
  topics: string[]
  /** Streams are numbered over the whole run; this client's are `firstStream` and on, one a topic. */
  firstStream: number
  /** Subscribers that should get each message. */
  fanout: number
}

export interface SubscribePlan {
  filter: string
  /** The streams that match the filter. */
  firstStream: number
  streams: number
}

export interface ClientPlan {
  clientId: string
  url: string
  thread: number
  publish?: PublishPlan
  subscribe?: SubscribePlan
}

export interface Plan {
  clients: ClientPlan[]
  streams: number
  /** Publishing clients. */
  publishers: number
  /** One line that says what this is. */
  title: string
}

export const SCENARIOS = {
  'fan-out': 'few publishers, many subscribers of the same topics',
  'fan-in': 'many publishers, few subscribers with one wildcard filter',
  pairs: 'as many subscribers as publishers, each pair with its own topics',
  wildcard: 'many publishers, subscribers with filters of `+` and `#`',
  websocket: 'fan-out to browsers: 1,000 subscribers of the JSON protocol at ws://127.0.0.1:8080'
} as const
export type ScenarioName = keyof typeof SCENARIOS

interface Shape {
  publishers: number
  subscribers: number
  /** The filter of subscriber `index`. */
  filter: (prefix: string, index: number) => string
}

function shapeOf(scenario: ScenarioName, options: LoadOptions): Shape {
  if (scenario === 'fan-out' || scenario === 'websocket') {
    const one = options.topics === 1 && (options.publishers ?? 1) === 1
    return {
      publishers: options.publishers ?? 1,
      subscribers: options.subscribers ?? (scenario === 'websocket' ? 1_000 : 500),
      filter: prefix => (one ? `${prefix}/0/0` : `${prefix}/#`)
    }
  }
  const publishers = options.publishers ?? 100
  if (scenario === 'fan-in') {
    return { publishers, subscribers: options.subscribers ?? 1, filter: prefix => `${prefix}/#` }
  }
  const filters = ['+/+', '#', '+/#']
  return {
    publishers,
    subscribers: options.subscribers ?? 10,
    filter: (prefix, index) => `${prefix}/${filters[index % filters.length]}`
  }
}

/** Lays out a scenario. `runId` must be new for each run. Throws `LIMIT_EXCEEDED` beyond a million streams. */
export function layOut(scenario: ScenarioName, options: LoadOptions, runId: string): Plan {
  const shape = scenario === 'pairs' ? undefined : shapeOf(scenario, options)
  const publishers = shape?.publishers ?? options.pairs
  const streams = publishers * options.topics
  if (streams > 1_000_000) throw new ShoalError('LIMIT_EXCEEDED', { streams, most: 1_000_000 })
  const prefix = `load/${runId}`
  const clients: ClientPlan[] = []
  for (let i = 0; i < publishers; i++) {
    clients.push({
      clientId: `${runId}-p${i}`,
      url: options.publishTo[i % options.publishTo.length]!,
      thread: i % options.threads,
      publish: {
        topics: Array.from({ length: options.topics }, (_, topic) => `${prefix}/${i}/${topic}`),
        firstStream: i * options.topics,
        fanout: shape?.subscribers ?? 1
      }
    })
  }
  for (let i = 0; i < (shape?.subscribers ?? options.pairs); i++) {
    clients.push({
      clientId: `${runId}-s${i}`,
      url: options.subscribeAt[i % options.subscribeAt.length]!,
      thread: i % options.threads,
      subscribe: shape
        ? { filter: shape.filter(prefix, i), firstStream: 0, streams }
        : {
            filter: options.topics === 1 ? `${prefix}/${i}/0` : `${prefix}/${i}/+`,
            firstStream: i * options.topics,
            streams: options.topics
          }
    })
  }
  const title = `${publishers} ${publishers === 1 ? 'publisher' : 'publishers'} -> ${clients.length - publishers} ${
    clients.length - publishers === 1 ? 'subscriber' : 'subscribers'
  }`
  return { clients, streams, publishers, title: scenario === 'pairs' ? `${publishers} pairs` : title }
}
