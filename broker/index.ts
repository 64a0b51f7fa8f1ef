// What an application that embeds Shoal imports.
export { type Broker, type BrokerOptions, type BrokerStatus, createBroker, defaultOptions } from './broker.ts'
export { ClusterKeys } from './cluster-keys.ts'
export { ERRORS, type ErrorCode, ShoalError } from './errors.ts'
export { Message, type QoS, type Receipt, type TopicName } from './message.ts'
export { nodeRuntime } from './runtime/node.ts'
export type { Runtime } from './runtime/runtime.ts'
export { TlsCredentials, type TlsMaterial } from './runtime/tls-credentials.ts'
export type { ClientHolder } from './sessions/registry.ts'
export type { Match, Subscriber, Subscription, SubscriptionOptions } from './topics/subscription.ts'
export {
  type DirectMessage,
  type ErrorCallback,
  type Handler,
  type HashringOptions,
  type Key,
  type Keyed,
  type MoveEvent,
  type Pattern,
  type Peer,
  type PeerConnection,
  type PeerMeta,
  type Plugin,
  type ReceivedMessage,
  type ReceivedStreams,
  type ReplyFunction,
  type RequestCallback,
  RequestError,
  type RequestMessage,
  type RequestOptions,
  type Schema,
  type StealEvent,
  type Streams,
  type Tracker,
  type Upring,
  type UpringEvents,
  type UpringOptions,
  upring
} from './upring.ts'
