// Topics: the rules of names and filters, who subscribes here, who routes here, what is retained.
export {
  isHidden,
  isWildcard,
  matches,
  topicBytesMax,
  topicLevelsMax,
  validateFilter,
  validateTopic
} from './filter.ts'
export { type Retained, type RetainedEntry, type RetainedLimits, RetainedStore } from './retained.ts'
export { digestOf, RouteTable } from './routes.ts'
export { type Match, type Subscriber, Subscription, type SubscriptionOptions } from './subscription.ts'
export { SubscriptionTable } from './subscriptions.ts'
export { Trie } from './trie.ts'
