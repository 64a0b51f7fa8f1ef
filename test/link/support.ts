// Two linked nodes on the simulated network, and handlers that write down what they are told.
import type { Duplex } from 'node:stream'
import type { ShoalError } from '../../broker/errors.ts'
import type { Reply } from '../../broker/link/handlers.ts'
import {
  createLink,
  type Identity,
  type Link,
  type LinkHandlers,
  type LinkOptions
} from '../../broker/link/index.ts'
import { Message, type OriginName, type QoS, type TopicName } from '../../broker/message.ts'
import type { Clock } from '../../broker/runtime/clock.ts'
import { silentLog } from '../../broker/runtime/log.ts'
import { Simulation } from '../simulation/simulation.ts'

export const A: Identity = { id: '10.0.0.1:7979', instance: 'aaaaaaaaaaaaaaaa' }
export const B: Identity = { id: '10.0.0.2:7979', instance: 'bbbbbbbbbbbbbbbb' }

/** One node's names and what its links told it. A request is answered by `onRequest`, by default with its own body. */
export class Recorder implements LinkHandlers {
  readonly topics = new Map<string, TopicName>()
  readonly origins = new Map<string, OriginName>()
  readonly published: Message[] = []
  readonly delivered: Message[] = []
  readonly acks: { origin: string; first: number; last: number; reason: number }[] = []
  readonly deliverAcks: number[] = []
  readonly fired: { name: string; body: unknown }[] = []
  readonly congestions: boolean[] = []
  readonly closings: (ShoalError | null)[] = []
  /** The names of all calls in their order. */
  readonly calls: string[] = []
  onRequest: (name: string, body: unknown, reply: Reply, link: Link) => void = (_name, body, reply) =>
    reply.send(body)

  topic(name: string): TopicName {
    let topic = this.topics.get(name)
    if (topic === undefined) {
      topic = { name, bytes: Buffer.from(name) }
      this.topics.set(name, topic)
    }
    return topic
  }

  origin(instance: string): OriginName {
    let origin = this.origins.get(instance)
    if (origin === undefined) {
      origin = { instance }
      this.origins.set(instance, origin)
    }
    return origin
  }

  publish(_link: Link, message: Message): void {
    this.calls.push('publish')
    this.published.push(message)
  }

  deliver(_link: Link, message: Message): void {
    this.calls.push('deliver')
    this.delivered.push(message)
  }

  barrier(): void {
    this.calls.push('barrier')
  }

  publishAck(_link: Link, origin: OriginName, first: number, last: number, reason: number): void {
    this.calls.push('publishAck')
    this.acks.push({ origin: origin.instance, first, last, reason })
  }

  deliverAck(_link: Link, count: number): void {
    this.calls.push('deliverAck')
    this.deliverAcks.push(count)
  }

  request(link: Link, name: string, body: unknown, reply: Reply): void {
    this.calls.push(`request ${name}`)
    this.onRequest(name, body, reply, link)
  }

  fire(_link: Link, name: string, body: unknown): void {
    this.calls.push(`fire ${name}`)
    this.fired.push({ name, body })
  }

  congested(_link: Link, congested: boolean): void {
    this.congestions.push(congested)
  }

  closed(_link: Link, reason: ShoalError | null): void {
    this.calls.push('closed')
    this.closings.push(reason)
  }
}

export type TestOptions = Partial<LinkOptions>

export function optionsOf(
  clock: Clock,
  self: Identity,
  handlers: LinkHandlers,
  options: TestOptions = {}
): LinkOptions {
  return { clock, log: silentLog, self, ring: 'test', handlers, initiator: false, ...options }
}

export interface LinkedPair {
  simulation: Simulation
  a: Link
  b: Link
  atA: Recorder
  atB: Recorder
}

/** The two ends of a connection from A to B. */
export async function connect(simulation: Simulation): Promise<{ fromA: Duplex; atB: Duplex }> {
  const address = { host: '10.0.0.2', port: 7979 }
  let atB: Duplex | null = null
  let fromA: Duplex | null = null
  simulation.host('10.0.0.2').runtime.network.listen(address, stream => {
    atB = stream
  })
  await simulation.run(1)
  simulation
    .host('10.0.0.1')
    .runtime.network.connect(address, 1000)
    .then(stream => {
      fromA = stream
    })
  await simulation.until(() => fromA !== null && atB !== null, 1000)
  return { fromA: fromA!, atB: atB! }
}

/** A dials B. Both are open. */
export async function linkPair(
  optionsA: TestOptions = {},
  optionsB: TestOptions = optionsA,
  simulation = new Simulation({ seed: 1 })
): Promise<LinkedPair> {
  const { fromA, atB: streamAtB } = await connect(simulation)
  const atA = new Recorder()
  const atB = new Recorder()
  const clockA = simulation.host('10.0.0.1').runtime.clock
  const clockB = simulation.host('10.0.0.2').runtime.clock
  let links: Link[] = []
  Promise.all([
    createLink(fromA, optionsOf(clockA, A, atA, { ...optionsA, initiator: true })),
    createLink(streamAtB, optionsOf(clockB, B, atB, optionsB))
  ]).then(both => {
    links = both
  })
  await simulation.until(() => links.length === 2, 5000)
  return { simulation, a: links[0]!, b: links[1]!, atA, atB }
}

/** Settles with `promise` while the simulation runs; rejects if that takes longer than `withinMs` of its time. */
export async function during<T>(simulation: Simulation, promise: Promise<T>, withinMs = 60_000): Promise<T> {
  let settled = false
  const done = promise.finally(() => {
    settled = true
  })
  done.catch(() => {})
  await simulation.until(() => settled, withinMs)
  return done
}

export function messageOf(
  topic: TopicName,
  payload: string | Uint8Array,
  qos: QoS = 0,
  retain = false
): Message {
  const bytes = typeof payload === 'string' ? Buffer.from(payload) : payload
  return new Message(topic, bytes, 0, bytes.length, qos, retain)
}

/** What a far side can tell of a message, or of those of a run. */
export function contentOf(message: Message): object {
  if (message.count > 1) return { version: message.packetVersion, run: message.singles().map(contentOf) }
  return {
    topic: message.topic.name,
    payload: Buffer.from(message.payload()).toString('base64'),
    qos: message.qos,
    retain: message.retain,
    properties: message.properties === null ? null : Buffer.from(message.properties).toString('base64'),
    origin: message.origin?.instance ?? null,
    sequence: message.sequence,
    hops: message.hops,
    epoch: message.epoch,
    offset: message.offset
  }
}
