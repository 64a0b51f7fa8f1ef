// A mixture of loads, as a YAML file lays it out: groups of publishers, each with its own rate, QoS,
// payload and subscribers, and connections that idle. What a group does not say, the command line does.
//
//   title: a house
//   idle: 1000
//   groups:
//     meters:
//       publishers: 200        # clients, each with its own topics
//       topics: 2              # of each client                                   [1]
//       rate: 500              # msg/s of the group; or max, with window and batch
//       qos: 1
//       payload: 120           # bytes
//       url: mqtt://host:1883  # one, or a list
//       subscribers:
//         - count: 3           #                                                  [1]
//           filter: '#'        # all of the group: '#', '+/+', '+/#'; or own: each the topics of one publisher
//           qos: 0             #                                                  [the group's]
//           url: ws://host:8080
import { readFileSync } from 'node:fs'
import { parse } from 'yaml'
import { ShoalError } from '../../broker/errors.ts'
import { addressOf, carriesText, PROTOCOLS_ALLOWED, readAddress } from '../addresses.ts'
import type { Qos } from '../client.ts'
import type { LoadOptions } from '../options.ts'
import { Fields } from './fields.ts'

const CLIENTS_MAX = 100_000
const PAYLOAD_BYTES_MAX = 16 * 1024 * 1024
const FILTERS = ['#', '+/+', '+/#', 'own'] as const

export interface Watchers {
  count: number
  /** Below the group's topics, `<publisher>/<topic>`; `own` gives each subscriber one publisher. */
  filter: (typeof FILTERS)[number]
  qos: Qos
  urls: string[]
}

export interface Group {
  name: string
  publishers: number
  topics: number
  qos: Qos
  payloadBytes: number
  /** Messages a second of the group; 0 is closed loop. */
  ratePerSecond: number
  window: number
  batch: number
  urls: string[]
  subscribers: Watchers[]
}

export interface Mixture {
  title: string | undefined
  /** Connections that neither publish nor subscribe. */
  idle: number
  groups: Group[]
}

/** Reads a file. Throws `OPTION_INVALID` with the place in the file, or when there is no such file. */
export function readMixture(file: string | undefined, options: LoadOptions): Mixture {
  if (file === undefined)
    throw new ShoalError('OPTION_INVALID', { why: 'mixed takes a file: load mixed <file>' })
  let value: unknown
  try {
    value = parse(readFileSync(file, 'utf8'))
  } catch (cause) {
    throw new ShoalError(
      'OPTION_INVALID',
      { file, why: cause instanceof Error ? cause.message : `${cause}` },
      cause
    )
  }
  return checkMixture(value, options)
}

/** Checks what a file holds. Throws `OPTION_INVALID` with the place. */
export function checkMixture(value: unknown, options: LoadOptions): Mixture {
  const fields = new Fields('', value)
  const mixture = {
    title: fields.text('title'),
    idle: fields.whole('idle', 0, CLIENTS_MAX, 0),
    groups: fields.mappings('groups').map(([name, group]) => readGroup(name, group, options))
  }
  fields.close()
  if (mixture.groups.length === 0) throw fields.invalid('groups', 'at least one group')
  return mixture
}

function readGroup(name: string, fields: Fields, options: LoadOptions): Group {
  if (!/^[\w-]+$/.test(name)) throw fields.invalid(name, 'a name of letters, digits, _ and -')
  const window = fields.whole('window', 1, 65_535, options.window)
  const qos = fields.oneOf('qos', [0, 1, 2], options.qos)
  const group = {
    name,
    publishers: fields.whole('publishers', 1, CLIENTS_MAX),
    topics: fields.whole('topics', 1, CLIENTS_MAX, options.topics),
    qos,
    payloadBytes: fields.whole('payload', 16, PAYLOAD_BYTES_MAX, options.payloadBytes),
    ratePerSecond: fields.rate('rate', options.ratePerSecond),
    window,
    batch: fields.whole('batch', 1, window, Math.min(window, Math.max(1, window >>> 2))),
    urls: readUrls(fields, options.publishTo),
    subscribers: fields.list('subscribers').map(one => readWatchers(one, qos, options))
  }
  fields.close()
  if (qos === 2 && group.urls.some(carriesText)) throw fields.invalid('qos', '0 or 1: only MQTT knows QoS 2')
  // Without subscribers nothing would show that its messages arrive.
  if (group.subscribers.length === 0) throw fields.invalid('subscribers', 'at least one')
  return group
}

function readWatchers(fields: Fields, qos: Qos, options: LoadOptions): Watchers {
  const watchers: Watchers = {
    count: fields.whole('count', 1, CLIENTS_MAX, 1),
    filter: fields.oneOf('filter', FILTERS, '#'),
    qos: fields.oneOf('qos', [0, 1, 2], qos),
    urls: readUrls(fields, options.subscribeAt)
  }
  fields.close()
  if (watchers.urls.some(url => addressOf(url).spoken === 'http')) {
    throw fields.invalid('url', 'mqtt or ws: by HTTP one can only publish')
  }
  return watchers
}

function readUrls(fields: Fields, fallback: string[]): string[] {
  const urls = fields.texts('url')
  if (urls.some(url => readAddress(url) === undefined)) throw fields.invalid('url', PROTOCOLS_ALLOWED)
  return urls.length > 0 ? urls : fallback
}
