// Shoal's client for browsers and Node, over WebSocket.
//
//   const client = connect('ws://localhost:8080')
//   client.subscribe('hello/#', message => console.log(message.topic, message.text))
//   await client.publish('hello/world', { any: 'JSON' }, { qos: 1 })
import { Client, type ConnectOptions } from './client.ts'

/**
 * Begins to connect, and goes on until `close()`. Several URLs are nodes of one cluster, tried in turn. Throws what the
 * WebSocket constructor throws for a bad URL, and ClientError if there is no such constructor.
 */
export function connect(url: string | readonly string[], options: ConnectOptions = {}): Client {
  return new Client(typeof url === 'string' ? [url] : url, options)
}

export type { WebSocketConstructor, WebSocketLike } from './channel.ts'
export {
  Client,
  type ClientEvents,
  type ClientState,
  type ConnectOptions,
  type Disconnected,
  type PublishOptions
} from './client.ts'
export { ClientError, type ClientErrorCode } from './errors.ts'
export { type JsonValue, Message, type Payload } from './payload.ts'
export type { Published } from './publications.ts'
export { type Handler, type SubscribeOptions, Subscription } from './subscription.ts'
export { DISCONNECT, type DisconnectCode, type WireErrorCode } from './wire.ts'
