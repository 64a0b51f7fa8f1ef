// MQTT over TCP: a listening socket, and a connection of the gateway for each that comes in.
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

export interface MqttListenOptions extends Partial<MqttOptions> {
  /** Default 127.0.0.1. */
  host?: string
  /** Default 1883; 0 takes any free one. */
  port?: number
  /** The gateway to add connections to, for its options and limits to be shared with another listener's. */
  gateway?: MqttGateway
  /** False: connections are sockets of node:net, also where this Node lets them be without. Default true. */
  handles?: boolean
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
    handles = true
  } = options
  checkAnonymous(host, gateway.options.allowAnonymous)
  // Half open, so that a client which closes its side behind its last packet is still answered.
  const server = createServer({ noDelay: true, allowHalfOpen: true })
  server.on('connection', socket => serve(gateway, new TcpTransport(socket)))
  await listen(server, host, port)
  if (handles) acceptHandles(server, transport => serve(gateway, transport))
  server.on('error', error => broker.log.error({ error }, 'MQTT listener'))
  const bound = server.address()
  const address = { host, port: bound !== null && typeof bound === 'object' ? bound.port : port }
  return {
    address,
    gateway,
    async close() {
      const closed = new Promise<void>(resolve => server.close(() => resolve()))
      await gateway.close()
      await closed
    }
  }
}

function serve(gateway: MqttGateway, transport: TcpTransport | HandleTransport): void {
  const connection = gateway.accept(transport)
  if (connection !== null) transport.open(connection)
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(error.code === 'EADDRINUSE' ? new ShoalError('PORT_IN_USE', { host, port }, error) : error)
    })
    server.listen({ host, port, backlog: BACKLOG }, () => {
      server.removeAllListeners('error')
      resolve()
    })
  })
}
