// Matching: which subscriptions, and which nodes, a topic has, without the cache in front of it.
import { RouteTable } from '../../broker/topics/routes.ts'
import { Subscription } from '../../broker/topics/subscription.ts'
import { SubscriptionTable } from '../../broker/topics/subscriptions.ts'
import type { Bench } from './bench.ts'

const topics = Array.from({ length: 1024 }, (_, i) => `plant/${i & 31}/line/${i}/state`)

/** The `index`-th of filters of which a tenth has wildcards, each matching few topics. */
function filterOf(index: number): string {
  if (index % 20 === 0) return `plant/+/line/${index}/#`
  if (index % 20 === 10) return `plant/${index & 31}/line/${index}/+`
  return `plant/${index & 31}/line/${index}/state`
}

function subscriptionsOf(filters: number): SubscriptionTable {
  const table = new SubscriptionTable()
  for (let i = 0; i < filters; i++) {
    const options = { qos: 0 as const, noLocal: false, retainAsPublished: false, identifier: 0 }
    table.add(new Subscription({ deliver() {} }, filterOf(i), options))
  }
  return table
}

export const topicsBenches: Bench[] = [
  ...[1, 1_000, 100_000].map(filters => ({
    name: `topics: match of ${filters} filters`,
    make() {
      const table = subscriptionsOf(filters)
      return (times: number) => {
        let sum = 0
        for (let i = 0; i < times; i++) sum += table.match(topics[i & 1023]!).length
        return sum
      }
    }
  })),
  {
    name: 'topics: routes of 10 nodes, 1000 filters each',
    make() {
      const table = new RouteTable<{ id: number }>()
      for (let id = 0; id < 10; id++) {
        const node = { id }
        for (let i = 0; i < 1_000; i++) table.add(node, filterOf(i * (id + 1)))
      }
      const found: { id: number }[] = []
      return times => {
        let sum = 0
        for (let i = 0; i < times; i++) {
          found.length = 0
          table.match(topics[i & 1023]!, found)
          sum += found.length
        }
        return sum
      }
    }
  }
]
