// What an application that embeds Shoal imports.
export { type Broker, type BrokerOptions, type BrokerStatus, createBroker, defaultOptions } from './broker.ts'
export { ERRORS, type ErrorCode, ShoalError } from './errors.ts'
export { Message, type QoS, type Receipt, type TopicName } from './message.ts'
export { nodeRuntime } from './runtime/node.ts'
export type { Runtime } from './runtime/runtime.ts'
export type { ClientHolder } from './sessions/registry.ts'
export type { Match, Subscriber, Subscription, SubscriptionOptions } from './topics/subscription.ts'
