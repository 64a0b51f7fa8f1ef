// A well-behaved publisher and its subscribers on a node that is under attack: they are to notice nothing.
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { eventually } from '../support/eventually.ts'
import type { Scope } from '../support/process.ts'
import { MqttJs } from './mqttjs.ts'
import type { NodeProcess } from './nodes.ts'
import { NumberedPublisher } from './publisher.ts'
import { type Arrival, reckon, reckonAcknowledgements } from './reckoning.ts'
import { clientSubscriber, type RecordingSubscriber } from './subscribers.ts'

const PER_SECOND = 200
const SAMPLE_MS = 50
/** Beyond it, even on a machine with much else to do, somebody has noticed something. */
const WAIT_MS_MAX = 10_000
const MiB = 1024 * 1024
/** A node takes some 70 MiB when it starts, and each client that does not read may have 12 MiB wait for it. */
const RESIDENT_BYTES_MAX = 512 * MiB

export class Neighbour {
  readonly #node: NodeProcess
  readonly #publisher: NumberedPublisher
  readonly #subscribers: readonly RecordingSubscriber[]
  readonly #sampler: NodeJS.Timeout
  #residentBytesMost = 0

  private constructor(
    node: NodeProcess,
    publisher: NumberedPublisher,
    subscribers: readonly RecordingSubscriber[]
  ) {
    this.#node = node
    this.#publisher = publisher
    this.#subscribers = subscribers
    this.#sampler = setInterval(() => this.#sample(), SAMPLE_MS)
  }

  /** Publishes from now on to subscribers on `node`, by topics that it owns and topics of `other`. */
  static async move(scope: Scope, node: NodeProcess, other: NodeProcess): Promise<Neighbour> {
    const topics = Array.from({ length: 8 }, (_, index) => `neighbour/${index}`)
    const subscribers = [
      await mqttSubscriber(scope, 'MQTT beside', node, topics),
      await mqttSubscriber(scope, 'MQTT on the other node', other, ['neighbour/#']),
      await clientSubscriber(scope, 'client-js beside', node, 'neighbour/#')
    ]
    const publisher = await NumberedPublisher.connect(node.mqttPort, 'neighbour', topics, PER_SECOND)
    const neighbour = new Neighbour(node, publisher, subscribers)
    scope.after(() => neighbour.close())
    publisher.start()
    return neighbour
  }

  close(): void {
    clearInterval(this.#sampler)
    this.#publisher.close()
  }

  /** The node lives within its memory, and all that was published until now was acknowledged, and arrived once. */
  async isWell(t: TestContext): Promise<void> {
    const sent = this.#publisher.log.length
    assert.ok(this.#node.lives, `${this.#node.name} lives; it said: ${this.#node.complaints.join('\n')}`)
    const log = this.#publisher.log.slice(0, sent)
    await eventually('the neighbour is acknowledged', () => {
      assert.equal(this.#publisher.failure, null)
      return log.every(({ ackedAtMs }) => ackedAtMs !== -1)
    })
    const { longestWaitMs } = reckonAcknowledgements(log)
    for (const subscriber of this.#subscribers) {
      await eventually(
        `all acknowledged messages at ${subscriber.name}`,
        async () => reckon(log, await subscriber.arrivals()).lost === 0
      )
      const { duplicated, reordered } = reckon(log, await subscriber.arrivals())
      const interruptions = await subscriber.interruptions()
      assert.deepEqual([duplicated, reordered, interruptions], [0, 0, 0], subscriber.name)
    }
    this.#sample()
    const most = Math.round(this.#residentBytesMost / MiB)
    t.diagnostic(`memory at most ${most} MiB; the neighbour waits at most ${longestWaitMs} ms until now`)
    assert.ok(this.#residentBytesMost < RESIDENT_BYTES_MAX, `${most} MiB`)
    assert.ok(longestWaitMs < WAIT_MS_MAX, `${longestWaitMs} ms`)
  }

  #sample(): void {
    if (this.#node.lives)
      this.#residentBytesMost = Math.max(this.#residentBytesMost, this.#node.residentBytes)
  }
}

async function mqttSubscriber(
  scope: Scope,
  name: string,
  node: NodeProcess,
  filters: string[]
): Promise<RecordingSubscriber> {
  const mqtt = await MqttJs.connect(scope, node, { version: 5, over: 'TCP' })
  const arrivals: Arrival[] = []
  mqtt.client.on('message', (topic, payload) => {
    arrivals.push({ topic, number: Number(String(payload)), atMs: performance.now() })
  })
  await mqtt.client.subscribeAsync(filters, { qos: 1 })
  return {
    name,
    count: async () => arrivals.length,
    arrivals: async () => arrivals,
    interruptions: async () => (mqtt.closed ? 1 : 0)
  }
}
