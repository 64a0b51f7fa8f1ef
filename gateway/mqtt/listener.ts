// MQTT over TCP: a listening socket, and a connection of the gateway for each that comes in.
import assert from 'node:assert'
import { createServer, type Server } from 'node:net'
import type { Broker } from '../../broker/broker.ts'
import { ShoalError } from '../../broker/errors.ts'
import type { Address } from '../../broker/runtime/network.ts'
import { checkAnonymous } from '../auth/anonymous.ts'
import { MqttGateway } from './gateway.ts'
import type { MqttOptions } from './options.ts'
import { TcpTransport } from './tcp.ts'
import { acceptHandles, type HandleTransport } from './tcp-handle.ts'

const BACKLOG = 4096

/** A listening socket that several threads of a process accept from. It stays open for as long as the process lives. */
export interface SharedSocket {
  /** The descriptor of the one that listens already. Null: it is made, and its descriptor put here. */
  fd: number | null
  /** Called with each connection, when the gateway has so many. */
  accepted(connections: number): void
}

export interface MqttListenOptions extends Partial<MqttOptions> {
  /** Default 127.0.0.1. */
  host?: string
  /** Default 1883; 0 takes any free one. */
  port?: number
  /** The gateway to add connections to, for its options and limits to be shared with another listener's. */
  gateway?: MqttGateway
  /** False: connections are sockets of node:net, also where this Node lets them be without. Default true. */
  handles?: boolean
  /** Not given: the socket is this listener's own. */
  shared?: SharedSocket
}

export interface MqttListener {
  readonly address: Address
  readonly gateway: MqttGateway
  /** Stops listening, closes all connections (v5: 0x8B), and settles when they are gone, `lingerMs` at the latest. */
  close(): Promise<void>
}

/** Listens for MQTT clients. Rejects: PORT_IN_USE, OPTION_INVALID, or the system's error. */
export async function listenMqtt(broker: Broker, options: MqttListenOptions = {}): Promise<MqttListener> {
  const {
    host = '127.0.0.1',
    port = 1883,
    gateway = new MqttGateway(broker, options),
    handles = true,
    shared
  } = options
  checkAnonymous(host, gateway.options.allowAnonymous)
  // Half open, so that a client which closes its side behind its last packet is still answered.
  const server = createServer({ noDelay: true, allowHalfOpen: true })
  server.on('connection', socket => serve(gateway, new TcpTransport(socket), shared))
  await listen(server, host, port, shared)
  if (handles) acceptHandles(server, transport => serve(gateway, transport, shared))
  server.on('error', error => broker.log.error({ error }, 'MQTT listener'))
  const bound = server.address()
  const address = { host, port: bound !== null && typeof bound === 'object' ? bound.port : port }
  return {
    address,
    gateway,
    async close() {
      // The number of the descriptor is the other threads' too: closed here, it would be taken from under them. Whoever
      // comes from now on is turned away by the gateway.
      if (shared !== undefined) return await gateway.close()
      const closed = new Promise<void>(resolve => server.close(() => resolve()))
      await gateway.close()
      await closed
    }
  }
}

function serve(
  gateway: MqttGateway,
  transport: TcpTransport | HandleTransport,
  shared: SharedSocket | undefined
): void {
  const connection = gateway.accept(transport)
  if (connection !== null) transport.open(connection)
  shared?.accepted(gateway.connections.size)
}

function listen(server: Server, host: string, port: number, shared: SharedSocket | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(error.code === 'EADDRINUSE' ? new ShoalError('PORT_IN_USE', { host, port }, error) : error)
    })
    const fd = shared?.fd ?? null
    const where = fd === null ? { host, port } : { fd }
    server.listen({ ...where, backlog: BACKLOG }, () => {
      server.removeAllListeners('error')
      if (shared !== undefined) shared.fd = descriptorOf(server)
      resolve()
    })
  })
}

/** Not documented, but what `listen({ fd })` takes. */
function descriptorOf(server: Server): number {
  const { fd } = (server as unknown as { _handle: { fd: unknown } })._handle
  assert(typeof fd === 'number' && fd >= 0)
  return fd
}
