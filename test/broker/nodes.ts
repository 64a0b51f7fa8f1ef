// Brokers on the simulated network, each with options of its own, and clients whose every message can be looked
// at. For tests of one behaviour; what holds whatever happens is test/simulation/broker's business.
import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { type Broker, type BrokerOptions, createBroker } from '../../broker/broker.ts'
import { Message, type QoS, type Receipt } from '../../broker/message.ts'
import type { Match, Subscriber, Subscription } from '../../broker/topics/subscription.ts'
import type { SimulatedHost } from '../simulation/host.ts'
import { Simulation } from '../simulation/simulation.ts'

const PORT = 7979
const START_MS = 60_000

export interface Node {
  readonly name: string
  readonly host: SimulatedHost
  readonly broker: Broker
}

export class Nodes {
  readonly simulation: Simulation
  readonly all: Node[] = []
  readonly #options: Partial<BrokerOptions>
  #made = 0

  constructor(seed: number, options: Partial<BrokerOptions> = {}) {
    this.simulation = new Simulation({ seed, delayMs: [0.1, 3] })
    this.#options = options
  }

  /** A cluster of `count` nodes, all of which serve. */
  static async started(seed: number, count: number, options: Partial<BrokerOptions> = {}): Promise<Nodes> {
    const nodes = new Nodes(seed, options)
    for (let i = 0; i < count; i++) await nodes.join()
    return nodes
  }

  at(index: number): Node {
    return this.all[index]!
  }

  /** Any of them, by chance. */
  random(): Node {
    return this.at(this.simulation.random.integer(this.all.length))
  }

  /** A node that has not been started. */
  add(options: Partial<BrokerOptions> = {}): Node {
    const name = `10.0.0.${++this.#made}`
    const host = this.simulation.host(name)
    const base = this.all.map(node => `${node.name}:${PORT}`)
    const address = { clusterHost: name, advertiseHost: name, clusterPort: PORT, insecure: true, base }
    const broker = createBroker({ ...address, ...this.#options, ...options }, host.runtime)
    const node = { name, host, broker }
    this.all.push(node)
    return node
  }

  /** A new node, once it serves. */
  async join(options: Partial<BrokerOptions> = {}): Promise<Node> {
    const node = this.add(options)
    await this.settle(node.broker.start(), START_MS)
    return node
  }

  /** Closes a node and lets it go from the cluster. */
  async leave(node: Node): Promise<void> {
    this.all.splice(this.all.indexOf(node), 1)
    await this.settle(node.broker.close(), START_MS)
  }

  /** Lets virtual time pass until the promise settles; rejects as it does, or if it takes longer than `withinMs`. */
  async settle<T>(promise: Promise<T>, withinMs: number): Promise<T> {
    let settled = false
    const done = (): void => {
      settled = true
    }
    promise.then(done, done)
    await this.simulation.until(() => settled, withinMs)
    return await promise
  }

  /** The first topic of the form `<prefix><number>` whose owner is the node. */
  topicOf(owner: Node, prefix = 't/'): string {
    for (let number = 0; number < 100_000; number++) {
      if (owner.broker.ownerOf(`${prefix}${number}`) === owner.broker.id) return `${prefix}${number}`
    }
    return assert.fail(`${owner.name} owns no topic`)
  }

  async subscribe(node: Node, filter: string, qos: QoS = 1): Promise<Client> {
    const client = new Client()
    await this.settle(client.subscribe(node, filter, qos), START_MS)
    return client
  }
}

export interface Got {
  readonly topic: string
  readonly text: string
  readonly retained: boolean
  readonly qos: QoS
  readonly epoch: number
  readonly offset: number
}

/** A subscriber that keeps what it gets. */
export class Client implements Subscriber {
  readonly got: Got[] = []
  subscription: Subscription | null = null

  async subscribe(node: Node, filter: string, qos: QoS = 1): Promise<boolean> {
    const options = { qos, noLocal: false, retainAsPublished: false, identifier: 0 }
    const { subscription, existed } = await node.broker.subscribe(this, filter, options)
    this.subscription = subscription
    return existed
  }

  /** What was said, in the order of arrival. */
  get texts(): string[] {
    return this.got.map(({ text }) => text)
  }

  /** The copies of retained messages: topic and text, sorted. */
  get retained(): string[] {
    return this.got
      .filter(({ retained }) => retained)
      .map(({ topic, text }) => `${topic}=${text}`)
      .sort()
  }

  deliver(message: Message, _match: Match, retained: boolean): void {
    const { qos, epoch, offset } = message
    const text = Buffer.from(message.payload()).toString()
    this.got.push({ topic: message.topic.name, text, retained, qos, epoch, offset })
  }
}

export interface Publishing {
  qos?: QoS
  retain?: boolean
  properties?: Uint8Array
}

/** A publisher that keeps the reasons of its acknowledgements, by the number of the message from 1. */
export class Device implements Receipt {
  readonly node: Node
  readonly reasons = new Map<number, number>()
  /** Acknowledgements, including those that came twice. */
  acknowledgements = 0
  sent = 0

  constructor(node: Node) {
    this.node = node
  }

  /** What `broker.publish` says. */
  publish(
    topic: string,
    payload: string | Uint8Array,
    { qos = 1, retain = false, properties }: Publishing = {}
  ): boolean {
    const bytes = typeof payload === 'string' ? Buffer.from(payload) : payload
    const { broker } = this.node
    const message = new Message(broker.topic(topic), bytes, 0, bytes.length, qos, retain)
    if (properties !== undefined) message.properties = properties
    if (qos > 0) {
      message.receipt = this
      message.token = ++this.sent
    }
    return broker.publish(message)
  }

  published(token: number, reason: number): void {
    this.acknowledgements++
    this.reasons.set(token, reason)
  }

  get isAcknowledged(): boolean {
    return this.reasons.size === this.sent
  }
}
