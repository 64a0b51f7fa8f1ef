// A cluster of brokers on the simulated network, with clients that record what they do and see.
import { Buffer } from 'node:buffer'
import { type IPublishPacket, parser } from 'mqtt-packet'
import { type Broker, createBroker } from '../../../broker/broker.ts'
import { Message, type QoS, type Receipt, type TopicName } from '../../../broker/message.ts'
import type { Log } from '../../../broker/runtime/log.ts'
import { matches } from '../../../broker/topics/filter.ts'
import type { Match, Subscriber } from '../../../broker/topics/subscription.ts'
import { runOf } from '../../support/runs.ts'
import { Simulation } from '../simulation.ts'
import { History, type Watcher } from './history.ts'

export interface NodeUnderTest {
  readonly name: string
  readonly broker: Broker
  readonly client: boolean
  state: 'starting' | 'up' | 'leaving' | 'down'
  /** Its process does nothing, and nothing may be asked of it. */
  isPaused: boolean
}

const PORT = 7979

export class SimulatedBrokers {
  readonly simulation: Simulation
  readonly history = new History()
  readonly nodes = new Map<string, NodeUnderTest>()
  #subscribers = 0

  constructor(seed: number, log: Log) {
    this.simulation = new Simulation({ seed, delayMs: [0.1, 3], log })
  }

  get now(): number {
    return this.simulation.now
  }

  /** Starts a node; the first one of the cluster has no base. A name that was used and crashed is a restart. */
  start(name: string, client = false): NodeUnderTest {
    const again = this.nodes.get(name)
    const host = this.simulation.host(name)
    const runtime = again === undefined ? host.runtime : host.restart()
    const base = [...this.nodes.values()]
      .filter(node => node.state === 'up')
      .map(node => `${node.name}:${PORT}`)
    const options = {
      clusterHost: name,
      insecure: true,
      advertiseHost: name,
      clusterPort: PORT,
      base,
      client,
      preset: 'lan' as const
    }
    const broker = createBroker({ ...options, topicsMax: 1000, closeTimeoutMs: 20_000 }, runtime)
    const node: NodeUnderTest = { name, broker, client, state: 'starting', isPaused: false }
    this.nodes.set(name, node)
    broker.start().then(
      () => {
        if (node.state === 'starting') node.state = 'up'
      },
      () => {
        node.state = 'down'
      }
    )
    return node
  }

  /** Those that serve, and are not paused now. */
  up(): NodeUnderTest[] {
    return [...this.nodes.values()].filter(node => node.state === 'up' && !node.isPaused)
  }

  /** Whatever its subscribers miss from now until `until` is no loss. */
  doubt(name: string, until = Number.POSITIVE_INFINITY): void {
    this.history.doubts.push({ node: name, from: this.now, until })
  }

  crash(node: NodeUnderTest): void {
    node.state = 'down'
    this.#end(node)
    this.simulation.host(node.name).crash()
  }

  leave(node: NodeUnderTest): void {
    node.state = 'leaving'
    this.#end(node)
    void node.broker.close().then(() => {
      node.state = 'down'
    })
  }

  /** Subscribes; what it must get is counted from when the broker has confirmed. */
  subscribe(node: NodeUnderTest, filter: string, qos: QoS): Watcher {
    const watcher: Watcher = {
      id: `s${++this.#subscribers}(${filter})`,
      node: node.name,
      matches: topic => matches(filter, topic),
      received: [],
      since: Number.POSITIVE_INFINITY,
      until: Number.POSITIVE_INFINITY
    }
    this.history.watchers.push(watcher)
    const subscriber = new Recorder(watcher, this.#subscribers % 2 === 0, () => this.now)
    const options = { qos, noLocal: false, retainAsPublished: false, identifier: 0 }
    node.broker.subscribe(subscriber, filter, options).then(
      () => {
        if (node.state === 'up') watcher.since = this.now
      },
      () => {}
    )
    return watcher
  }

  #end(node: NodeUnderTest): void {
    for (const watcher of this.history.watchers) {
      if (watcher.node === node.name) watcher.until = Math.min(watcher.until, this.now)
    }
  }
}

/** Every second one takes runs as they are, so that both ways of delivering are seen. */
class Recorder implements Subscriber {
  readonly takesRuns: boolean
  readonly #watcher: Watcher
  readonly #now: () => number

  constructor(watcher: Watcher, takesRuns: boolean, now: () => number) {
    this.takesRuns = takesRuns
    this.#watcher = watcher
    this.#now = now
  }

  deliver(message: Message, _match: Match, retained: boolean): void {
    if (retained) return
    const { epoch, qos } = message
    payloadsOf(message).forEach((name, i) => {
      const offset = message.offset + i
      this.#watcher.received.push({ name, qos: qos === 0 ? 0 : 1, epoch, offset, at: this.#now() })
    })
  }
}

/** What is said in a message, or in those of a run, without taking the run apart as the broker does. */
function payloadsOf(message: Message): string[] {
  if (message.count === 1) return [Buffer.from(message.payload()).toString()]
  const payloads: string[] = []
  const reader = parser({ protocolVersion: message.packetVersion })
  reader.on('packet', packet => payloads.push((packet as IPublishPacket).payload.toString()))
  reader.parse(Buffer.from(message.buffer.subarray(message.packetStart, message.payloadEnd)))
  return payloads
}

/** Publishes on a few topics, each with its own numbers, while its node is up. */
export class Publisher implements Receipt {
  readonly id: string
  readonly node: NodeUnderTest
  readonly #cluster: SimulatedBrokers
  readonly #numbers = new Map<string, number>()
  readonly #waiting = new Map<number, string>()
  #token = 0
  #paused = false

  constructor(id: string, node: NodeUnderTest, cluster: SimulatedBrokers) {
    this.id = id
    this.node = node
    this.#cluster = cluster
  }

  /** One message, or a run of `count`. */
  publish(topic: string, qos: 0 | 1, count = 1): void {
    if (this.#paused) return
    const names = Array.from({ length: count }, () => this.#send(topic, qos))
    const message = this.#messageOf(this.node.broker.topic(topic), names, qos)
    if (qos > 0) {
      message.receipt = this
      message.token = this.#token + 1
      for (const name of names) this.#waiting.set(++this.#token, name)
    }
    if (this.node.broker.publish(message)) return
    this.#paused = true
    this.node.broker.whenDrained(() => {
      this.#paused = false
    })
  }

  published(token: number, reason: number, count: number): void {
    for (let each = token; each < token + count; each++) {
      const name = this.#waiting.get(each)
      this.#waiting.delete(each)
      const sent = name === undefined ? undefined : this.#cluster.history.sent.get(name)
      if (sent !== undefined && reason < 0x80) sent.ackedAt = this.#cluster.now
    }
  }

  /** Writes down that the next message is sent; returns its name. */
  #send(topic: string, qos: 0 | 1): string {
    const number = this.#numbers.get(topic) ?? 0
    this.#numbers.set(topic, number + 1)
    const name = `${this.id}/${topic}/${number}`
    const { history, now } = this.#cluster
    history.sent.set(name, { name, publisher: this.id, topic, number, qos, at: now, ackedAt: -1 })
    return name
  }

  #messageOf(topic: TopicName, names: readonly string[], qos: 0 | 1): Message {
    if (names.length > 1) return runOf(topic, names, qos, this.#token % 2 === 0 ? 4 : 5)
    const payload = Buffer.from(names[0]!)
    return new Message(topic, payload, 0, payload.length, qos, false)
  }
}
