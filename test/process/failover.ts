// One fault under load: publishers on node A, subscribers on B and C, and an owner that is on neither. What
// each subscriber got is held against what the publishers were told.
import { setTimeout as wait } from 'node:timers/promises'
import type { Browser } from 'playwright-core'
import { eventually } from '../support/eventually.ts'
import type { Scope } from '../support/process.ts'
import { FAULTS, type FaultName } from './faults.ts'
import { MqttJsPublisher } from './mqttjs-publisher.ts'
import { type NodeProcess, startCluster } from './nodes.ts'
import { pageSubscriber } from './page.ts'
import { NumberedPublisher, type Publisher } from './publisher.ts'
import { type Acknowledgements, type Reckoning, reckon, reckonAcknowledgements } from './reckoning.ts'
import { clientSubscriber, mosquittoSubscriber, type RecordingSubscriber } from './subscribers.ts'

const TOPICS = 50
const PER_SECOND = 2000
const MQTTJS_TOPICS = 5
const MQTTJS_PER_SECOND = 200

/** Load before the fault, and after all is well again. */
const LOAD_MS = 1500
const DRAIN_MS = 30_000

export interface FailoverOptions {
  readonly fault: FaultName
  /** Null: without a subscriber in a page. */
  readonly browser: Browser | null
  /** More arguments of every node. */
  readonly args?: readonly string[]
}

export interface FailoverFigures {
  readonly fault: FaultName
  /** From the fault until the survivors were of one mind again, in ms. */
  readonly settledMs: number
  /** Of all topics under load, how many had another owner after the fault; of a pause, while it lasted. */
  readonly movedTopics: number
  readonly publishers: readonly ({ readonly name: string } & Acknowledgements)[]
  readonly subscribers: readonly ({ readonly name: string; readonly interruptions: number } & Reckoning)[]
  /** Warnings and errors of the nodes. */
  readonly complaints: readonly string[]
}

/** Rejects when something takes far too long, or a publisher's connection is closed. */
export async function failover(scope: Scope, options: FailoverOptions): Promise<FailoverFigures> {
  const { fault, browser, args = [] } = options
  const nodes = await startCluster(scope, ['A', 'B', 'C', 'D'], args)
  const [a, b, c, victim] = nodes as [NodeProcess, NodeProcess, NodeProcess, NodeProcess]
  const topics = names('failover/numbered', TOPICS)
  const mqttjsTopics = names('failover/mqttjs', MQTTJS_TOPICS)
  const all = [...topics, ...mqttjsTopics]
  const owners = await ownersOf(a, all)
  const subscribers = [
    await mosquittoSubscriber(scope, 'mosquitto_sub on B, exact', b, all),
    await mosquittoSubscriber(scope, 'mosquitto_sub on B, wildcard', b, ['failover/#']),
    await clientSubscriber(scope, 'client-js on C, wildcard', c, 'failover/#')
  ]
  if (browser !== null) {
    subscribers.push(await pageSubscriber(scope, browser, 'page on C, wildcard', c, 'failover/#'))
  }
  const publishers: readonly (Publisher & { readonly name?: string })[] = [
    await NumberedPublisher.connect(a.mqttPort, 'numbered', topics, PER_SECOND),
    await MqttJsPublisher.connect(a.mqttPort, 'mqttjs', mqttjsTopics, MQTTJS_PER_SECOND)
  ]
  scope.after(() => {
    for (const publisher of publishers) publisher.close()
  })

  for (const publisher of publishers) publisher.start()
  await wait(LOAD_MS)
  const from = performance.now()
  await FAULTS[fault].happen({ scope, survivors: [a, b, c], victim, args })
  const settledMs = Math.round(performance.now() - from)
  await wait(LOAD_MS)
  for (const publisher of publishers) publisher.stop()
  await drained(publishers, subscribers)

  const log = publishers.flatMap(publisher => publisher.log)
  const movedTopics =
    fault === 'pause'
      ? owners.filter(owner => owner === victim.id).length
      : changed(owners, await ownersOf(a, all))
  return {
    fault,
    settledMs,
    movedTopics,
    publishers: publishers.map((publisher, index) => ({
      name: index === 0 ? 'numbered' : 'MQTT.js',
      ...reckonAcknowledgements(publisher.log)
    })),
    subscribers: await Promise.all(
      subscribers.map(async subscriber => ({
        name: subscriber.name,
        interruptions: await subscriber.interruptions(),
        ...reckon(log, await subscriber.arrivals())
      }))
    ),
    complaints: nodes.flatMap(node => node.complaints.map(text => `${node.name}: ${text}`))
  }
}

/** All is acknowledged, and as much has arrived everywhere, or nothing more comes. */
async function drained(
  publishers: readonly Publisher[],
  subscribers: readonly RecordingSubscriber[]
): Promise<void> {
  await eventually(
    'all publishes are acknowledged',
    () => {
      for (const { failure } of publishers) if (failure !== null) return true
      return publishers.every(({ unacknowledged }) => unacknowledged === 0)
    },
    { withinMs: DRAIN_MS }
  )
  for (const { failure } of publishers) if (failure !== null) throw failure
  const published = publishers.reduce((sum, { log }) => sum + log.length, 0)
  for (const subscriber of subscribers) await settled(subscriber, published)
}

/** A second without anything new is the end, too: then something is lost, and the figures say so. */
async function settled(subscriber: RecordingSubscriber, expected: number): Promise<void> {
  let [before, quiet] = [-1, 0]
  while (quiet < 20) {
    const count = await subscriber.count()
    if (count >= expected) return
    quiet = count === before ? quiet + 1 : 0
    before = count
    await wait(50)
  }
}

function names(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}/${index}`)
}

function ownersOf(node: NodeProcess, topics: readonly string[]): Promise<string[]> {
  return Promise.all(topics.map(topic => node.ownerOf(topic)))
}

function changed(before: readonly string[], after: readonly string[]): number {
  return before.filter((owner, index) => owner !== after[index]).length
}
