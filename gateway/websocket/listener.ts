// One port for browsers, MQTT over WebSocket, and HTTP: an app of uWebSockets.js, its WebSockets
// sorted by subprotocol, everything else to gateway/http.

import uWS, {
  type HttpRequest,
  type HttpResponse,
  type TemplatedApp,
  type us_socket_context_t,
  type WebSocket
} from 'uWebSockets.js'
import { setTimeout } from 'node:timers/promises'
import type { Broker } from '../../broker/broker.ts'
import { isLoopback } from '../../broker/config.ts'
import { ShoalError } from '../../broker/errors.ts'
import { MESSAGE_BYTES_MAX } from '../../broker/message.ts'
import { checkAnonymous } from '../auth/anonymous.ts'
import type { Gather } from '../http/metrics.ts'
import { HttpRoutes } from '../http/routes.ts'
import { Connection } from './connection.ts'
import { newCounters, type WebCounters } from './counters.ts'
import { MessageEncoder } from './encode.ts'
import { Flusher } from './flusher.ts'
import type { SocketHandler, WebGateway } from './gateway.ts'
import { type AcceptMqtt, MqttSocket } from './mqtt.ts'
import { WEB_DEFAULTS, type WebOptions } from './options.ts'
import { isOriginAllowed } from './origin.ts'
import { type ListeningPort, listenOn } from './port.ts'
import { Socket, type SocketData } from './socket.ts'

const TICK_MS = 1_000

export interface WebListener {
  readonly address: { readonly host: string; readonly port: number }
  readonly counters: Readonly<WebCounters>
  /** Stops listening, says goodbye to all clients, and closes; settles within `lingerMs`. Twice is once. */
  close(): Promise<void>
  /** Closes all at once, without goodbyes. */
  destroy(): void
}

/**
 * Listens. `acceptMqtt` takes the WebSockets of the `mqtt` subprotocol; without it they are refused. The metrics show
 * `mqttCounters` too, read at each request, and what `gather` puts beside them.
 * Rejects: OPTION_INVALID (anonymous clients beyond loopback, without the option; frames that no link carries),
 * PORT_IN_USE, or the system's error.
 */
export async function listenWeb(
  broker: Broker,
  options: Partial<WebOptions> = {},
  acceptMqtt: AcceptMqtt | null = null,
  mqttCounters: Readonly<object> = {},
  gather: Gather | null = null
): Promise<WebListener> {
  const all = { ...WEB_DEFAULTS, ...options }
  checkAnonymous(all.host, all.allowAnonymous)
  checkFrameBytes(all.frameBytesMax)
  const listener = new Listener(broker, all, acceptMqtt, mqttCounters, gather)
  await listener.listen()
  return listener
}

function checkFrameBytes(value: number): void {
  if (Number.isInteger(value) && value >= 1 && value <= MESSAGE_BYTES_MAX) return
  throw new ShoalError('OPTION_INVALID', {
    option: 'frameBytesMax',
    value,
    allowed: `1..${MESSAGE_BYTES_MAX}`
  })
}

class Listener implements WebListener {
  address: { host: string; port: number }
  readonly counters = newCounters()
  readonly #gateway: WebGateway
  readonly #acceptMqtt: AcceptMqtt | null
  readonly #app: TemplatedApp
  readonly #routes: HttpRoutes
  readonly #handlers = new Set<SocketHandler>()
  /** Of WebSockets and HTTP. */
  #sockets = 0
  #port: ListeningPort | null = null
  #ticking: { cancel(): void } | null = null
  #closing: Promise<void> | null = null

  constructor(
    broker: Broker,
    options: WebOptions,
    acceptMqtt: AcceptMqtt | null,
    mqttCounters: Readonly<object>,
    gather: Gather | null
  ) {
    this.address = { host: options.host, port: options.port }
    this.#acceptMqtt = acceptMqtt
    this.#gateway = {
      broker,
      options,
      counters: this.counters,
      encoder: new MessageEncoder(),
      flusher: new Flusher(broker.clock)
    }
    this.#app = uWS.App()
    this.#app.ws<SocketData>('/*', {
      // Bounded by each connection itself, which knows what it then misses.
      maxBackpressure: 0,
      maxPayloadLength: options.frameBytesMax,
      idleTimeout: options.idleTimeoutSeconds,
      sendPingsAutomatically: true,
      compression: uWS.DISABLED,
      upgrade: (res, req, context) => this.#upgrade(res, req, context),
      open: ws => this.#open(ws),
      message: (ws, data, isBinary) => ws.getUserData().handler?.received(data, isBinary),
      drain: ws => ws.getUserData().handler?.drained(),
      close: (ws, code) => this.#closed(ws, code)
    })
    this.#app.filter((res, change) => this.#counted(res, Number(change)))
    const isAllowed = (origin: string, host: string): boolean => this.#isAllowed(origin, host)
    this.#routes = new HttpRoutes(this.#gateway, mqttCounters, isAllowed, gather)
    this.#routes.register(this.#app)
  }

  async listen(): Promise<void> {
    const { host, port, sharing } = this.#gateway.options
    this.#port = await listenOn(this.#app, host, port, sharing)
    this.address = { host, port: this.#port.port }
    this.#ticking = this.#gateway.broker.clock.every(TICK_MS, () => this.#tick())
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    const { options } = this.#gateway
    this.#ticking?.cancel()
    this.#port?.close()
    const hadClients = this.#handlers.size > 0 || this.#routes.pending > 0
    for (const handler of [...this.#handlers]) handler.shutDown()
    // Closing the app cuts off what is not sent yet. The clock's timers would not keep the process for it.
    if (hadClients) await setTimeout(options.lingerMs)
    this.#app.close()
  }

  destroy(): void {
    this.#ticking?.cancel()
    this.#port?.close()
    this.#app.close()
  }

  #tick(): void {
    const now = this.#gateway.broker.clock.now()
    for (const handler of this.#handlers) handler.tick(now)
  }

  #isAllowed(origin: string, host: string): boolean {
    const { options } = this.#gateway
    return isOriginAllowed(origin, host, options.origins, isLoopback(options.host))
  }

  /** A socket has come (1) or gone (-1). Those of HTTP have a share of their own beyond `connectionsMax`. */
  #counted(res: HttpResponse, change: number): void {
    const { connectionsMax, requestsMax } = this.#gateway.options
    this.#sockets += change
    if (change < 0 || this.#sockets <= connectionsMax + requestsMax) return
    this.counters.connectionsRefused++
    res.close()
  }

  #upgrade(res: HttpResponse, req: HttpRequest, context: us_socket_context_t): void {
    const refusal = this.#refusal(req)
    if (refusal !== null) {
      this.counters.connectionsRefused++
      res.writeStatus(refusal).end(undefined, true)
      return
    }
    const protocol = asksForMqtt(req.getHeader('sec-websocket-protocol')) ? 'mqtt' : ''
    const data: SocketData = { handler: null, protocol }
    // Only what the client has asked for may be answered with. [MQTT-6.0.0-4]
    const key = req.getHeader('sec-websocket-key')
    res.upgrade(data, key, protocol, req.getHeader('sec-websocket-extensions'), context)
  }

  /** The status of an upgrade that is refused; null if it is not. */
  #refusal(req: HttpRequest): string | null {
    if (this.#closing !== null || this.counters.connections >= this.#gateway.options.connectionsMax) {
      return '503 Service Unavailable'
    }
    if (!this.#isAllowed(req.getHeader('origin'), req.getHeader('host'))) return '403 Forbidden'
    const protocols = req.getHeader('sec-websocket-protocol')
    if (protocols === '' || (asksForMqtt(protocols) && this.#acceptMqtt !== null)) return null
    return '400 Bad Request'
  }

  #open(ws: WebSocket<SocketData>): void {
    const { options } = this.#gateway
    const socket = new Socket(ws)
    const data = ws.getUserData()
    this.counters.connections++
    this.counters.connectionsTotal++
    if (data.protocol === 'mqtt') {
      const mqtt = new MqttSocket(socket, options.inboxBytesMax)
      data.handler = mqtt
      this.#handlers.add(mqtt)
      mqtt.open(this.#acceptMqtt!)
    } else {
      data.handler = new Connection(this.#gateway, socket)
      this.#handlers.add(data.handler)
    }
  }

  #closed(ws: WebSocket<SocketData>, code: number): void {
    this.counters.connections--
    const { handler } = ws.getUserData()
    if (handler === null) return
    this.#handlers.delete(handler)
    handler.closed(code)
  }
}

function asksForMqtt(protocols: string): boolean {
  return protocols.split(',').some(protocol => protocol.trim() === 'mqtt')
}
