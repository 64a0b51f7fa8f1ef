// The options of `load`, in one table: what each is called, takes and means. The table checks the
// command line and prints the help.
import { parseArgs } from 'node:util'
import { ShoalError } from '../broker/errors.ts'
import { addressOf, carriesText, PROTOCOLS_ALLOWED, readAddress } from './addresses.ts'
import type { Qos } from './client.ts'
import type { ProtocolVersion } from './mqtt/packets.ts'
import { STAMP_BYTES, type StampKind } from './stamp.ts'

interface OptionDefinition {
  /** What stands after the name in the help; empty for a switch. */
  takes: string
  fallback?: string
  many?: true
  means: string
}

export const OPTIONS = {
  url: {
    takes: 'protocol://host:port',
    many: true,
    fallback: 'mqtt://127.0.0.1:1883',
    means: 'mqtt, mqtts, mqtt+ws, mqtt+wss; ws, wss: browsers’ JSON; several, by commas, spread the clients'
  },
  'publish-to': {
    takes: 'url',
    many: true,
    means: 'where publishers connect, instead of --url; also http, https'
  },
  'subscribe-at': { takes: 'url', many: true, means: 'where subscribers connect, instead of --url' },
  protocol: { takes: '4|5', fallback: '4', means: 'MQTT version: 4 is 3.1.1, 5 is 5.0' },
  qos: { takes: '0|1|2', fallback: '0', means: 'of publishes and of subscriptions; 2 by MQTT only' },
  payload: {
    takes: 'bytes',
    fallback: '64',
    means: `at least ${STAMP_BYTES.binary}, with ws:// and http:// ${STAMP_BYTES.text}`
  },
  publishers: { takes: 'number', means: 'publishing clients (fan-out 1, fan-in and wildcard 100)' },
  subscribers: { takes: 'number', means: 'subscribing clients (fan-out 500, fan-in 1, wildcard 10)' },
  pairs: { takes: 'number', fallback: '200', means: 'pairs of one publisher and one subscriber' },
  topics: { takes: 'number', fallback: '1', means: 'topics of each publisher, used in turn' },
  rate: {
    takes: 'msg/s|max',
    fallback: 'max',
    means: 'publishes of all publishers together (open loop), or closed loop'
  },
  window: { takes: 'number|max', fallback: 'max', means: 'messages a publisher keeps in flight; max is 256' },
  batch: { takes: 'number', means: 'publishes a write at most; a quarter of the window unless told' },
  duration: { takes: 'seconds', fallback: '5', means: 'measured time' },
  'warm-up': { takes: 'seconds', fallback: '1', means: 'time under load before the measured time' },
  drain: { takes: 'seconds', fallback: '10', means: 'longest wait without a delivery for the last ones' },
  threads: { takes: 'number', fallback: '1', means: 'threads of the generator' },
  connections: { takes: 'number', fallback: '1000', means: 'connect: how many to open' },
  ramp: {
    takes: 'conn/s|max',
    fallback: 'max',
    means: 'connect: how many a second; max keeps 100 handshakes open'
  },
  hold: { takes: 'seconds', fallback: '2', means: 'connect: how long they stay before the close' },
  churn: {
    takes: 'seconds',
    fallback: '0',
    means: 'connect: then close and reopen one after the other for so long'
  },
  pid: {
    takes: 'pid',
    many: true,
    means: 'process of a broker, to read its CPU time and memory (children included)'
  },
  username: { takes: 'name', means: 'for CONNECT' },
  password: { takes: 'word', means: 'for CONNECT' },
  'allow-loss': { takes: '', means: 'QoS 0: lost messages are counted, but do not fail the run' },
  brokers: {
    takes: 'names',
    many: true,
    means: 'compare: which, by commas; all that are installed unless told'
  },
  rows: {
    takes: 'names',
    many: true,
    means: 'compare: which rows, by commas, or all; those at full speed unless told'
  },
  rounds: {
    takes: 'number',
    fallback: '3',
    means: 'compare: runs of each broker in each row; the median counts'
  },
  patience: {
    takes: 'seconds',
    fallback: '0',
    means: 'compare: how long each run waits for the machine to be quiet'
  },
  cluster: {
    takes: '',
    means: 'compare: also three nodes of each, publishers and subscribers on different ones'
  },
  results: { takes: 'folder', fallback: 'load/results', means: 'compare: where the tables are written' },
  json: { takes: 'file', means: 'write the whole result there' },
  html: { takes: 'file', means: 'write a report page there' },
  quiet: { takes: '', means: 'no progress, only the summary' },
  help: { takes: '', means: 'print this' }
} as const satisfies Record<string, OptionDefinition>
export type OptionName = keyof typeof OPTIONS

/** A run's options, checked. Times are seconds where the name says nothing. */
export interface LoadOptions {
  publishTo: string[]
  subscribeAt: string[]
  protocol: ProtocolVersion
  qos: Qos
  payloadBytes: number
  /** Text where any address is a WebSocket's: JSON carries no bytes. */
  stamp: StampKind
  publishers: number | undefined
  subscribers: number | undefined
  pairs: number
  topics: number
  /** Messages a second of all publishers; 0 is closed loop. */
  ratePerSecond: number
  window: number
  batch: number
  durationMs: number
  warmUpMs: number
  drainMs: number
  threads: number
  connections: number
  /** Connections a second; 0 is as fast as they come. */
  rampPerSecond: number
  holdMs: number
  churnMs: number
  pids: number[]
  username: string | undefined
  password: string | undefined
  allowLoss: boolean
  json: string | undefined
  html: string | undefined
  quiet: boolean
}

export type RawOptions = Partial<Record<OptionName, string | boolean | string[]>>

/** Splits a command line into words and raw options. Throws `OPTION_INVALID` for one that is not in the table. */
export function parseCommandLine(args: readonly string[]): { words: string[]; raw: RawOptions } {
  const options = Object.fromEntries(
    Object.entries<OptionDefinition>(OPTIONS).map(([name, { takes, many }]) => [
      name,
      { type: takes === '' ? ('boolean' as const) : ('string' as const), multiple: many ?? false }
    ])
  )
  try {
    const { positionals, values } = parseArgs({ args: [...args], options, allowPositionals: true })
    return { words: positionals, raw: values as RawOptions }
  } catch (cause) {
    throw new ShoalError(
      'OPTION_INVALID',
      { why: cause instanceof Error ? cause.message : String(cause) },
      cause
    )
  }
}

function invalid(option: OptionName, value: unknown, allowed: string): ShoalError {
  return new ShoalError('OPTION_INVALID', { option: `--${option}`, value, allowed })
}

/** Reads and checks every option. Throws `OPTION_INVALID` with the name, the value and what is allowed. */
export function checkOptions(raw: RawOptions): LoadOptions {
  const text = (name: OptionName): string | undefined => {
    const definition: OptionDefinition = OPTIONS[name]
    const value = raw[name]
    return typeof value === 'string' ? value : definition.fallback
  }
  const list = (name: OptionName): string[] => {
    const value = raw[name]
    return (Array.isArray(value) ? value : []).flatMap(part => part.split(',')).filter(part => part !== '')
  }
  const number = (name: OptionName, least: number, most: number, whole = true): number => {
    const value = Number(text(name))
    if (
      text(name)?.trim() === '' ||
      !(value >= least && value <= most) ||
      (whole && !Number.isInteger(value))
    ) {
      throw invalid(name, text(name), `${whole ? 'a whole number' : 'a number'} from ${least} to ${most}`)
    }
    return value
  }
  const optional = (name: OptionName, most: number) =>
    raw[name] === undefined ? undefined : number(name, 1, most)
  const rate = (name: OptionName) => (text(name) === 'max' ? 0 : number(name, 0.001, 100_000_000, false))
  const urls = (name: OptionName): string[] => {
    const given = list(name)
    for (const url of given) {
      if (readAddress(url) === undefined) throw invalid(name, url, PROTOCOLS_ALLOWED)
    }
    return given
  }
  const fallbackUrls = urls('url').length > 0 ? urls('url') : [OPTIONS.url.fallback]
  const or = (given: string[]) => (given.length > 0 ? given : fallbackUrls)
  const qos = number('qos', 0, 2)
  const protocol = number('protocol', 4, 5)
  const window = text('window') === 'max' ? 256 : number('window', 1, 65_535)
  const seconds = (name: OptionName) => number(name, 0, 86_400, false) * 1_000
  const publishTo = or(urls('publish-to'))
  const subscribeAt = or(urls('subscribe-at'))
  const deaf = subscribeAt.find(url => addressOf(url).spoken === 'http')
  if (deaf !== undefined) {
    const option = raw['subscribe-at'] === undefined ? 'url' : 'subscribe-at'
    throw invalid(option, deaf, 'mqtt or ws: by HTTP one can only publish')
  }
  if (qos === 2 && [...publishTo, ...subscribeAt].some(carriesText)) {
    throw invalid('qos', qos, '0 or 1: only MQTT knows QoS 2')
  }
  const stamp = [...publishTo, ...subscribeAt].some(carriesText) ? 'text' : 'binary'
  return {
    publishTo,
    subscribeAt,
    stamp,
    protocol: protocol === 5 ? 5 : 4,
    qos: qos as Qos,
    payloadBytes: number('payload', STAMP_BYTES[stamp], 16 * 1024 * 1024),
    publishers: optional('publishers', 100_000),
    subscribers: optional('subscribers', 100_000),
    pairs: number('pairs', 1, 100_000),
    topics: number('topics', 1, 100_000),
    ratePerSecond: rate('rate'),
    window,
    batch: raw.batch === undefined ? Math.max(1, window >>> 2) : number('batch', 1, window),
    durationMs: seconds('duration'),
    warmUpMs: seconds('warm-up'),
    drainMs: seconds('drain'),
    threads: number('threads', 1, 64),
    connections: number('connections', 1, 1_000_000),
    rampPerSecond: rate('ramp'),
    holdMs: seconds('hold'),
    churnMs: seconds('churn'),
    pids: list('pid').map(pid => {
      if (!/^[1-9]\d*$/.test(pid)) throw invalid('pid', pid, 'a process id')
      return Number(pid)
    }),
    username: text('username'),
    password: text('password'),
    allowLoss: raw['allow-loss'] === true,
    json: text('json'),
    html: text('html'),
    quiet: raw.quiet === true
  }
}

/** The options as help text, one a line. */
export function optionsHelp(): string {
  return Object.entries<OptionDefinition>(OPTIONS)
    .map(([name, { takes, fallback, means }]) => {
      const left = `  --${name}${takes === '' ? '' : ` <${takes}>`}`
      return `${left.padEnd(32)} ${means}${fallback === undefined ? '' : ` [${fallback}]`}`
    })
    .join('\n')
}
