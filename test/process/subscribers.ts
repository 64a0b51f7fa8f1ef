// Subscribers that keep a log of what arrives: mosquitto_sub, whose lines are stamped as they come, and
// client-js in Node. The one in a browser is page.ts.
import WebSocket from 'ws'
import { connect } from '../../client-js/index.ts'
import { withDeadline } from '../support/deadline.ts'
import type { Scope } from '../support/process.ts'
import { MosquittoSub } from './mosquitto.ts'
import type { NodeProcess } from './nodes.ts'
import type { Arrival } from './reckoning.ts'

export interface RecordingSubscriber {
  readonly name: string
  /** How many arrived until now. */
  count(): Promise<number>
  /** All that arrived, in order. */
  arrivals(): Promise<readonly Arrival[]>
  /** Connects and subscribes again that it had to; 0 while all is well. */
  interruptions(): Promise<number>
}

/** MQTT 3.1.1, QoS 1. Settles when it has its SUBACK. */
export async function mosquittoSubscriber(
  scope: Scope,
  name: string,
  node: NodeProcess,
  filters: readonly string[]
): Promise<RecordingSubscriber> {
  const sub = await MosquittoSub.start(scope, node, ['-q', '1', ...filters.flatMap(filter => ['-t', filter])])
  return {
    name,
    count: async () => sub.messages.length,
    arrivals: async () =>
      sub.messages.map(({ topic, text }, index) => ({ topic, number: Number(text), atMs: sub.atMs[index]! })),
    interruptions: async () => sub.connects - 1
  }
}

/** client-js over `ws`, since Node 20 has no WebSocket. Settles when the cluster has its subscription. */
export async function clientSubscriber(
  scope: Scope,
  name: string,
  node: NodeProcess,
  filter: string
): Promise<RecordingSubscriber> {
  const arrivals: Arrival[] = []
  let connects = 0
  const client = connect(node.webSocketUrl, { WebSocket })
  scope.after(() => client.close())
  client.on('connected', () => connects++)
  const subscription = client.subscribe(filter, message => {
    arrivals.push({ topic: message.topic, number: Number(message.text), atMs: performance.now() })
  })
  await withDeadline(subscription.ready, `the subscription of ${name}`)
  return {
    name,
    count: async () => arrivals.length,
    arrivals: async () => arrivals,
    interruptions: async () => connects - 1
  }
}
