// upring.use(pubsub): mqemitter's interface between the nodes of an upring.
export type { Listener, TopicMessage } from './listeners.ts'
export {
  createPubSub,
  type EmitCallback,
  type PubSub,
  type PubSubOptions,
  pubsub,
  pubsubOf
} from './pubsub.ts'
