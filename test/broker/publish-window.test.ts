// A node names its messages with numbers, and others recognise a message that comes twice by its number in a window. What
// is not acknowledged must stay inside, whoever publishes how much meanwhile.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Message, Receipt } from '../../broker/message.ts'
import { RUN_MESSAGES_MAX } from '../../broker/run.ts'
import { runOf } from '../support/runs.ts'
import { Device, type Node, Nodes } from './nodes.ts'

const PUBLISHERS = 1500
const payloads = Array<string>(RUN_MESSAGES_MAX).fill('x')

/** Publishes one run after the other, as fast as the broker lets it. */
class Busy implements Receipt {
  readonly #node: Node
  readonly #topic: string
  stopped = false
  sent = 0
  /** Of the messages that were answered: how many are safe, and how many were refused. */
  safe = 0
  refused = 0

  constructor(node: Node, topic: string) {
    this.#node = node
    this.#topic = topic
  }

  go(): void {
    if (this.stopped) return
    const { broker } = this.#node
    const run: Message = runOf(broker.topic(this.#topic), payloads, 1)
    run.receipt = this
    run.token = this.sent
    this.sent += run.count
    if (broker.publish(run)) broker.clock.after(10, () => this.go())
    else broker.whenDrained(() => this.go())
  }

  published(_token: number, reason: number, count: number): void {
    if (reason < 0x80) this.safe += count
    else this.refused += count
  }
}

test('a message that waits for its owner to die is delivered to a node that has heard much since', async () => {
  const nodes = await Nodes.started(1, 3)
  const [publisher, still, other] = nodes.all as [Node, Node, Node]
  const quiet = await nodes.subscribe(other, nodes.topicOf(still))
  const busyTopic = nodes.topicOf(other)
  const counted = { count: 0 }
  const takeAll = { takesRuns: true, deliver: (message: Message) => (counted.count += message.count) }
  const subscribed = other.broker.subscribe(takeAll, busyTopic, {
    qos: 1,
    noLocal: false,
    retainAsPublished: false,
    identifier: 0
  })
  await nodes.settle(subscribed, 1000)

  still.host.pause()
  const device = new Device(publisher)
  device.publish(nodes.topicOf(still), 'waits')
  const busy = Array.from({ length: PUBLISHERS }, () => new Busy(publisher, busyTopic))
  for (const one of busy) one.go()
  await nodes.simulation.until(() => device.isAcknowledged, 30_000)
  for (const one of busy) one.stopped = true
  await nodes.simulation.run(2000)

  assert.deepEqual(quiet.texts, ['waits'], 'what was acknowledged has arrived')
  const sum = (of: (one: Busy) => number): number => busy.reduce((total, one) => total + of(one), 0)
  assert.equal(
    sum(one => one.safe + one.refused),
    sum(one => one.sent),
    'each publish was answered'
  )
  assert.equal(
    counted.count,
    sum(one => one.safe),
    'as many arrived as were acknowledged'
  )
})
