// Every option of a node, in one table: name, kind, default, bounds, why. The option file, the
// environment, the command line, the documentation and the type `Config` all come from it.

import { KEY_SHAPE, KEYS_MAX } from './cluster-keys.ts'
import { MESSAGE_BYTES_MAX } from './message.ts'
import {
  bytes,
  choice,
  countOrAuto,
  duration,
  environmentLayer,
  fileLayer,
  flag,
  integer,
  type Layer,
  list,
  OptionError,
  type OptionValues,
  port,
  portOrOff,
  resolve,
  secrets,
  text,
  word
} from './options/index.ts'

const HOST = {
  pattern: /^(?:[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,252})|[0-9A-Fa-f:.]{2,45})$/,
  allowed: 'an IP address or a host name'
}
const HOST_OR_NONE = {
  pattern: new RegExp(`^$|${HOST.pattern.source}`),
  allowed: `${HOST.allowed}, or nothing`
}
const ADDRESS = {
  pattern: /^(?:[A-Za-z0-9_][A-Za-z0-9_.-]{0,252}|\[[0-9A-Fa-f:.]{2,45}\]):[1-9]\d{0,4}$/,
  allowed: 'host:port'
}
const NAME = {
  pattern: /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/,
  allowed: '1 to 64 letters, digits, dots, dashes or underscores, the first a letter or a digit'
}

const WORKERS_MAX = 64
const PATH_LENGTH_MAX = 4096

const KiB = 1024
const MiB = 1024 * KiB
const GiB = 1024 * MiB

export const OPTIONS = {
  // Where it listens.
  host: word(
    '127.0.0.1',
    'The address that MQTT and HTTP listen on; `0.0.0.0` is every IPv4 address of the machine.',
    HOST
  ),
  mqttPort: portOrOff(1883, 'The port of MQTT over TCP.'),
  httpPort: portOrOff(8080, 'The port of HTTP, of browsers (WebSocket) and of MQTT over WebSocket.'),
  allowAnonymous: flag(
    false,
    'Lets clients in without credentials when `host` is not a loopback address; on loopback they always are.'
  ),
  origins: list(
    64,
    'Web origins whose pages may connect and publish, as `https://app.example.org`, or `*` for any. None given: only pages of this very host; programs that are no browsers always may.',
    {
      pattern: /^(?:https?:\/\/[^\s/,]{1,255}|\*)$/,
      allowed: 'https://host or *'
    }
  ),

  // The cluster.
  base: list(
    64,
    'Cluster addresses of nodes to join, as `host:port`; one that answers is enough. None: the first node of a cluster.',
    ADDRESS
  ),
  name: word('shoal', 'The name of the cluster: nodes of another name are refused.', NAME),
  clusterHost: word('127.0.0.1', 'The address that the cluster port listens on.', HOST),
  clusterPort: port(7979, 'The port of gossip (UDP) and of links between nodes (TCP).'),
  advertiseHost: word(
    '',
    'The address at which the other nodes reach this one; a name is looked up at the start. Not given: `clusterHost`, or for `0.0.0.0` the first address of the machine.',
    HOST_OR_NONE
  ),
  clusterKeyFile: text(
    '',
    'A file of keys that the nodes of the cluster share, as `shoal keygen` makes them, one a line: the first seals gossip, any opens it, and links are let in that prove one. SIGHUP reads it again.',
    PATH_LENGTH_MAX
  ),
  clusterKey: secrets(KEYS_MAX, 'The same keys themselves, instead of a file.', KEY_SHAPE),
  clusterTlsCert: text(
    '',
    'Certificate of this node (PEM), for links between nodes over mutual TLS. With a key alone, links are authenticated when they begin, but not encrypted. SIGHUP reads these three files again.',
    PATH_LENGTH_MAX
  ),
  clusterTlsKey: text('', 'Private key of `clusterTlsCert` (PEM).', PATH_LENGTH_MAX),
  clusterTlsCa: text(
    '',
    'Certificates of the authorities (PEM) of which one must have signed the certificate of every node. They should sign for nothing else.',
    PATH_LENGTH_MAX
  ),
  insecure: flag(
    false,
    'Lets the cluster port listen beyond loopback without a key, so that whoever reaches it can join, read and forge: for networks that keep strangers out.'
  ),
  client: flag(false, 'Makes this node a gateway only: it joins, and serves clients, but owns no topics.'),
  preset: choice(
    'lan',
    ['local', 'lan', 'wan'],
    'How fast silence is taken for death: nodes on one machine, in one network, or far apart.'
  ),
  replicaPoints: integer(
    100,
    1,
    1000,
    'Points of each node on the ring: more of them make the parts more even. The same on every node.'
  ),
  shardLevels: integer(
    0,
    0,
    16,
    'How many leading levels of a topic decide its owner; 0 is all of them. The same on every node.'
  ),

  // Clients.
  connectionsMax: integer(100_000, 1, 10_000_000, 'Clients connected to each listener; one more is refused.'),
  packetBytesMax: bytes(
    1 * MiB,
    1 * KiB,
    MESSAGE_BYTES_MAX,
    'The largest MQTT packet, WebSocket message or HTTP body that is accepted; a message must fit into one frame between nodes.'
  ),
  subscriptionsMax: integer(10_000, 1, 10_000_000, 'Subscriptions of one client; one more is refused.'),
  receiveMaximum: integer(
    1024,
    1,
    65_535,
    'QoS 1 messages of one MQTT client that may wait for their acknowledgement.'
  ),
  inflightMax: integer(
    1024,
    1,
    65_535,
    'QoS 1 messages sent to one MQTT client that it has not acknowledged yet.'
  ),
  queueMax: integer(
    65_536,
    1,
    10_000_000,
    'QoS 1 messages that wait until one MQTT client acknowledges earlier ones; one more, and it is disconnected.'
  ),
  queueBytesMax: bytes(
    8 * MiB,
    64 * KiB,
    1 * GiB,
    'Bytes of these waiting messages; more, and the client is disconnected.'
  ),
  outboxBytesMax: bytes(
    4 * MiB,
    64 * KiB,
    1 * GiB,
    'Bytes that wait for the socket of one slow client; beyond it QoS 0 messages to an MQTT client are dropped, and a browser is told what it missed and disconnected.'
  ),
  keepAliveMaxSeconds: integer(
    65_535,
    1,
    65_535,
    'The longest keep-alive of an MQTT client; one that asks for more, or for none, is given this.'
  ),
  connectTimeoutMs: duration(10_000, 100, 600_000, 'How long a new connection may take to say who it is.'),
  stallTimeoutMs: duration(
    60_000,
    1000,
    3_600_000,
    'An MQTT client that reads nothing of what waits for it is disconnected after this.'
  ),

  // Sessions that outlive their connections.
  sessionsMax: integer(
    100_000,
    0,
    100_000_000,
    'Sessions of this node that outlive their connections; a client that wants one more is refused. Those that are handed over when the ring changes are taken beyond it.'
  ),
  sessionExpiryMaxSeconds: integer(
    4_294_967_295,
    0,
    4_294_967_295,
    'The longest that the session of a client that is away is kept, in seconds; 4294967295 is for ever.'
  ),
  sessionQueueMax: integer(65_536, 1, 10_000_000, 'Messages that wait for one such session.'),
  sessionQueueBytesMax: bytes(
    8 * MiB,
    64 * KiB,
    1 * GiB,
    'Bytes of these messages; one that is larger than all of them does not wait.'
  ),
  sessionOverflow: choice(
    'drop-oldest',
    ['drop-oldest', 'drop-newest'],
    'Which message goes when more wait; it is counted.'
  ),
  queueQosZero: flag(false, 'Keeps messages of QoS 0, too, for a client that is away.'),

  // The broker's memory.
  topicsMax: integer(
    1_000_000,
    100,
    100_000_000,
    'Topics that this node remembers, as owner or for its clients.'
  ),
  retainedMax: integer(1_000_000, 0, 100_000_000, 'Retained messages of the topics that this node owns.'),
  retainedBytesMax: bytes(1 * GiB, 0, 64 * GiB, 'Payload bytes of these retained messages.'),
  publishWindow: integer(
    65_536,
    16,
    65_536,
    'QoS 1 messages under way from this node to the owners of their topics.'
  ),
  linkBufferBytesMax: bytes(
    16 * MiB,
    256 * KiB,
    1 * GiB,
    'Bytes that wait to be written to one peer; from half of it on, publishers are paused.'
  ),
  replayMax: integer(
    100_000,
    100,
    10_000_000,
    'Messages that a new owner keeps for subscribers it may not know of yet.'
  ),

  // The process.
  workers: countOrAuto(
    1,
    WORKERS_MAX,
    'Threads, each a node of the cluster with a part of the ring of its own, which share the ports of MQTT and HTTP; their cluster ports count up from `clusterPort`. `auto` is one a core. Limits are for each of them.'
  ),
  closeTimeoutMs: duration(10_000, 100, 600_000, 'How long a graceful stop may take.'),
  logLevel: choice(
    'info',
    ['trace', 'debug', 'info', 'warn', 'error', 'silent'],
    'The least important log line that is written.'
  ),
  logFormat: choice('pretty', ['pretty', 'json'], 'Lines for people, or JSON objects for machines.')
} as const

/** The checked options of a node. Times are milliseconds. */
export type Config = OptionValues<typeof OPTIONS>

export interface ConfigSources {
  /** What the command line gave; see `Layer`. */
  flags?: Layer
  /** The process's environment: its `SHOAL_*` variables are read. */
  environment?: Readonly<Record<string, string | undefined>>
  /** An option file, already parsed. */
  file?: { readonly name: string; readonly content: unknown }
}

/** Flags over environment over file over defaults. Throws OPTION_INVALID, its message a sentence that helps. */
export function readConfig(sources: ConfigSources): Config {
  const config = resolve(OPTIONS, [
    sources.flags ?? new Map(),
    environmentLayer(OPTIONS, sources.environment ?? {}),
    sources.file === undefined ? new Map() : fileLayer(OPTIONS, sources.file.content, sources.file.name)
  ])
  checkTogether(config)
  return config
}

/** Rules that concern more than one option. */
function checkTogether(config: Config): void {
  checkCluster(config)
  checkWorkers(config)
  if (
    !config.allowAnonymous &&
    !isLoopback(config.host) &&
    (config.mqttPort !== 'off' || config.httpPort !== 'off')
  ) {
    throw new OptionError(
      `host is "${config.host}", but this version has no passwords, so that anyone who reaches it could connect. ` +
        'On a trusted network, give --allow-anonymous.',
      { option: 'host', value: config.host }
    )
  }
  for (const option of ['outboxBytesMax', 'queueBytesMax'] as const) {
    if (config[option] >= config.packetBytesMax) continue
    throw new OptionError(
      `${option} is ${config[option]}, but must not be less than packetBytesMax (${config.packetBytesMax}): ` +
        'a single packet would not fit.',
      { option, value: config[option] }
    )
  }
  if (config.client && config.base.length === 0) {
    throw new OptionError(
      'client is true, but a node that owns no topics needs others that do: give --base host:port.',
      {
        option: 'client',
        value: true
      }
    )
  }
}

/** Each worker has a cluster port of its own. */
function checkWorkers({ workers, clusterPort }: Config): void {
  if (workers === 'auto' || clusterPort === 0 || clusterPort + workers - 1 <= 65_535) return
  const sentence = `clusterPort is ${clusterPort}, which leaves no ports for ${workers} workers: at most ${65_536 - workers}.`
  throw new OptionError(sentence, { option: 'clusterPort', value: clusterPort })
}

function checkCluster({ clusterHost, clusterKey, clusterKeyFile, insecure, ...config }: Config): void {
  if (clusterKey.length > 0 && clusterKeyFile !== '') {
    throw new OptionError('clusterKey and clusterKeyFile are both given: give one of them.', {
      option: 'clusterKeyFile'
    })
  }
  const tls = [config.clusterTlsCert, config.clusterTlsKey, config.clusterTlsCa]
  const given = tls.filter(path => path !== '').length
  if (given > 0 && given < tls.length) {
    throw new OptionError(
      'clusterTlsCert, clusterTlsKey and clusterTlsCa belong together: give all or none.',
      { option: 'clusterTlsCert' }
    )
  }
  if (insecure || clusterKey.length > 0 || clusterKeyFile !== '' || isLoopback(clusterHost)) return
  const hint = given > 0 ? ' TLS is for links, and gossip needs a key as well.' : ''
  throw new OptionError(
    `clusterHost is "${clusterHost}", where whoever reaches the cluster port could join, read and forge.${hint} ` +
      'Make a key with `shoal keygen > cluster.key` and give --cluster-key-file cluster.key to every node; or, on a ' +
      'network that keeps strangers out, give --insecure.',
    { option: 'clusterHost', value: clusterHost }
  )
}

/** Whether only this machine can reach a listener on `host`. A name other than localhost is not looked up: no. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(?:\.\d{1,3}){3}$/.test(host)
}
