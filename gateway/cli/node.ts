// A whole node in this process: a broker and its listeners, started and stopped in the right order.
import { lookup } from 'node:dns/promises'
import { createServer } from 'node:net'
import { networkInterfaces } from 'node:os'
import { type Broker, type BrokerOptions, createBroker } from '../../broker/broker.ts'
import type { Config } from '../../broker/config.ts'
import { ShoalError } from '../../broker/errors.ts'
import type { Timer } from '../../broker/runtime/clock.ts'
import type { Log } from '../../broker/runtime/log.ts'
import type { Network } from '../../broker/runtime/network.ts'
import { nodeRuntime } from '../../broker/runtime/node.ts'
import type { Gather, NodeFigures } from '../http/metrics.ts'
import { listenMqtt, MqttGateway, type MqttListener, type SharedSocket } from '../mqtt/index.ts'
import type { WebListener } from '../websocket/listener.ts'
import type { AcceptMqtt } from '../websocket/mqtt.ts'
import type { PortSharing, WebOptions } from '../websocket/options.ts'
import type { ClusterSecrets } from './cluster-secrets.ts'
import { Failure, systemCode } from './failure.ts'
import { keepHeapRoom } from './heap-room.ts'

/** The part of `closeTimeoutMs` that is for goodbyes to clients, at most; the rest is the cluster's. */
const LINGER_MS_MAX = 2000

export interface NodeAddresses {
  /** `mqtt://host:port`; null if off. */
  readonly mqtt: string | null
  /** `http://host:port`; null if off. */
  readonly http: string | null
  /** `host:port`, by which other nodes know this one. */
  readonly cluster: string
}

/** What a node has from the others when it is one of several in this process: see gateway/workers. */
export interface Neighbours {
  /** Puts the ways to the others before the network `beneath`. They are dialled by the address `host`. */
  network(beneath: Network, host: string): Network
  readonly mqtt: SharedSocket
  /** They have opened the ports: this node accepts there too, but not before it serves. */
  readonly haveOpened: boolean
  readonly gather: Gather
}

export class RunningNode {
  readonly broker: Broker
  readonly addresses: NodeAddresses
  readonly #parts: Parts

  private constructor(parts: Parts) {
    const { broker, mqtt, web } = parts
    this.#parts = parts
    this.broker = broker
    this.addresses = {
      mqtt: mqtt === null ? null : urlOf('mqtt', mqtt.address),
      http: web === null ? null : urlOf('http', web.address),
      cluster: broker.id
    }
  }

  /** The ports it listens on, which were perhaps any. */
  get ports(): Pick<Config, 'mqttPort' | 'httpPort'> {
    const { mqtt, web } = this.#parts
    return { mqttPort: mqtt?.address.port ?? 'off', httpPort: web?.address.port ?? 'off' }
  }

  /** MQTT clients that are connected. */
  get connections(): number {
    return this.#parts.gateway.connections.size
  }

  figures(): NodeFigures {
    const { broker, gateway, web } = this.#parts
    return { status: broker.status(), web: web?.counters ?? {}, mqtt: gateway.counters }
  }

  /**
   * Settles when clients are served. They are let in only then, but the ports are taken first, and `/ready` answers
   * meanwhile. `stopped` gives up a start that is under way (joining waits for the other nodes as long as it takes).
   * Throws `Failure` for a port or address that cannot be had, and whatever else went wrong, with all closed again.
   */
  static async start(
    config: Config,
    secrets: ClusterSecrets,
    log: Log,
    stopped: Promise<unknown>,
    neighbours: Neighbours | null = null
  ): Promise<RunningNode> {
    const lingerMs = Math.min(LINGER_MS_MAX, Math.floor(config.closeTimeoutMs / 4))
    const options = await brokerOptions(config, config.closeTimeoutMs - lingerMs)
    const { keys, tls } = secrets
    const runtime = nodeRuntime(tls === null ? { log } : { log, tls })
    if (neighbours !== null)
      runtime.network = neighbours.network(runtime.network, withoutBrackets(options.advertiseHost))
    const broker = createBroker(keys === null ? options : { ...options, clusterKeys: keys }, runtime)
    const gateway = new MqttGateway(broker, { ...mqttOptions(config), lingerMs })
    const parts: Parts = { broker, gateway, mqtt: null, web: null, heapRoom: keepHeapRoom(runtime.clock) }
    const join = async (): Promise<void> => {
      const abandoned = stopped.then(() => {
        throw new ShoalError('CLOSED')
      })
      await Promise.race([openCluster(broker, config), abandoned])
    }
    try {
      if (neighbours?.haveOpened === true) await join()
      if (config.mqttPort !== 'off') parts.mqtt = await openMqtt(parts, config, config.mqttPort, neighbours)
      if (config.httpPort !== 'off') parts.web = await openWeb(parts, config, config.httpPort, neighbours)
      if (neighbours?.haveOpened !== true) await join()
    } catch (error) {
      await closeAll(parts)
      throw error
    }
    return new RunningNode(parts)
  }

  /** Says goodbye to the clients, then leaves the cluster; settles within `closeTimeoutMs`. */
  close(): Promise<void> {
    return closeAll(this.#parts)
  }

  /**
   * Closes at once what must not be open when a thread ends: the library of HTTP and WebSocket would abort the process.
   * Clients and cluster are told nothing.
   */
  halt(): void {
    this.#parts.web?.destroy()
  }
}

interface Parts {
  readonly broker: Broker
  readonly gateway: MqttGateway
  mqtt: MqttListener | null
  web: WebListener | null
  readonly heapRoom: Timer
}

async function closeAll({ broker, gateway, mqtt, web, heapRoom }: Parts): Promise<void> {
  heapRoom.cancel()
  await (mqtt ?? gateway).close()
  await web?.close()
  await broker.close()
}

async function openMqtt(
  { broker, gateway }: Parts,
  { host }: Config,
  port: number,
  neighbours: Neighbours | null
): Promise<MqttListener> {
  const shared = neighbours === null ? {} : { shared: neighbours.mqtt }
  try {
    return await listenMqtt(broker, { host, port, gateway, ...shared })
  } catch (error) {
    throw cannotListen('MQTT', host, port, '--mqtt-port', error)
  }
}

async function openWeb(
  { broker, gateway }: Parts,
  config: Config,
  port: number,
  neighbours: Neighbours | null
): Promise<WebListener> {
  const options = { ...webOptions(config), port, sharing: sharingOf(neighbours) }
  const accept: AcceptMqtt = transport => gateway.accept(transport)
  const { listenWeb } = await loadWeb()
  try {
    return await listenWeb(broker, options, accept, gateway.counters, neighbours?.gather ?? null)
  } catch (error) {
    // The library does not say why it cannot listen: let the system say it.
    throw cannotListen(
      'HTTP',
      config.host,
      port,
      '--http-port',
      (await tryToListen(config.host, port)) ?? error
    )
  }
}

function sharingOf(neighbours: Neighbours | null): PortSharing {
  if (neighbours === null) return 'none'
  return neighbours.haveOpened ? 'joins' : 'opens'
}

/** Loaded when it is wanted, since its library has no binary for each system that Node runs on. */
async function loadWeb(): Promise<typeof import('../websocket/listener.ts')> {
  try {
    return await import('../websocket/listener.ts')
  } catch (error) {
    if (!(error instanceof Error && error.message.includes('uWS.js'))) throw error
    throw new Failure(
      `WebSocket and HTTP cannot be served: uWebSockets.js has nothing for Node ${process.version} on this system. On ` +
        'Linux, Node 20 needs glibc 2.27 or later, and Node 22 and 24 glibc 2.38 or later (Debian 13, Ubuntu 24.04). ' +
        'Take another Node, or serve MQTT alone with --http-port off.',
      1,
      error
    )
  }
}

async function openCluster(broker: Broker, config: Config): Promise<void> {
  try {
    await broker.start()
  } catch (error) {
    throw cannotListen('the cluster', config.clusterHost, config.clusterPort, '--cluster-port', error)
  }
}

/** A sentence for the failures that an operator can mend; other errors as they are. */
function cannotListen(what: string, host: string, port: number, option: string, error: unknown): unknown {
  const code = error instanceof ShoalError ? error.code : systemCode(error)
  const reasons: Readonly<Record<string, string>> = {
    PORT_IN_USE: `another process listens there. Stop it, or choose another port with ${option}`,
    EADDRINUSE: `another process listens there. Stop it, or choose another port with ${option}`,
    EACCES: `this user may not. Choose a port from 1024 on with ${option}`,
    EADDRNOTAVAIL: 'this machine has no such address',
    ENOTFOUND: 'no such host is known'
  }
  const reason = code === undefined ? undefined : reasons[code]
  return reason === undefined
    ? error
    : new Failure(`Cannot listen on ${host}:${port} for ${what}: ${reason}.`, 1, error)
}

function tryToListen(host: string, port: number): Promise<Error | null> {
  return new Promise(resolve => {
    const server = createServer()
    server.once('error', resolve)
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(null)))
  })
}

function withoutBrackets(host: string): string {
  return host.replace(/^\[|\]$/g, '')
}

function urlOf(scheme: string, { host, port }: { host: string; port: number }): string {
  return `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`
}

async function brokerOptions(
  config: Config,
  closeTimeoutMs: number
): Promise<Partial<BrokerOptions> & Pick<BrokerOptions, 'advertiseHost'>> {
  const { name, clusterPort, base, client, insecure, preset, replicaPoints, shardLevels } = config
  const { topicsMax, retainedMax, retainedBytesMax, publishWindow, linkBufferBytesMax, replayMax } = config
  const { sessionsMax, sessionExpiryMaxSeconds, sessionQueueMax, sessionQueueBytesMax } = config
  const { sessionOverflow, queueQosZero } = config
  const sessions = {
    sessionsMax,
    sessionExpiryMaxSeconds,
    sessionQueueMax,
    sessionQueueBytesMax,
    sessionOverflow,
    queueQosZero
  }
  const clusterHost = await addressOf(config.clusterHost)
  const advertised = await advertisedHost(config.advertiseHost, clusterHost)
  const advertiseHost = advertised.includes(':') ? `[${advertised}]` : advertised
  const place = {
    name,
    clusterHost,
    clusterPort,
    advertiseHost,
    base,
    client,
    insecure,
    preset,
    replicaPoints,
    shardLevels
  }
  const limits = { topicsMax, retainedMax, retainedBytesMax, publishWindow, linkBufferBytesMax, replayMax }
  return { ...place, ...limits, ...sessions, closeTimeoutMs }
}

/** An address, not a name: it is part of every gossip packet's way, and must mean the same to all. */
async function advertisedHost(wanted: string, clusterHost: string): Promise<string> {
  if (wanted !== '') return await addressOf(wanted)
  if (clusterHost !== '0.0.0.0' && clusterHost !== '::') return clusterHost
  const family = clusterHost === '::' ? 'IPv6' : 'IPv4'
  const all = Object.values(networkInterfaces()).flatMap(addresses => addresses ?? [])
  const outside = all.find(address => !address.internal && address.family === family)
  if (outside !== undefined) return outside.address
  throw new Failure(
    `This machine has no ${family} address beyond loopback for others to reach: give --advertise-host.`,
    2
  )
}

async function addressOf(host: string): Promise<string> {
  try {
    return (await lookup(host, { verbatim: false })).address
  } catch (error) {
    throw new Failure(`The host ${host} of this node's cluster port is not known.`, 1, error)
  }
}

function mqttOptions(config: Config): ConstructorParameters<typeof MqttGateway>[1] {
  const { allowAnonymous, connectionsMax, packetBytesMax, subscriptionsMax, receiveMaximum, inflightMax } =
    config
  const { queueMax, queueBytesMax, outboxBytesMax, keepAliveMaxSeconds, connectTimeoutMs, stallTimeoutMs } =
    config
  const clients = { allowAnonymous, connectionsMax, subscriptionsMax, keepAliveMaxSeconds }
  const limits = { packetBytesMax, receiveMaximum, inflightMax, queueMax, queueBytesMax, outboxBytesMax }
  return { ...clients, ...limits, connectTimeoutMs, stallTimeoutMs }
}

function webOptions(config: Config): Partial<WebOptions> {
  const {
    host,
    allowAnonymous,
    origins,
    connectionsMax,
    subscriptionsMax,
    outboxBytesMax,
    connectTimeoutMs
  } = config
  const clients = { host, allowAnonymous, origins, connectionsMax, subscriptionsMax }
  return { ...clients, frameBytesMax: config.packetBytesMax, outboxBytesMax, connectTimeoutMs }
}
