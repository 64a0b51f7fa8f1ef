// Runs between nodes: one message on the way, as many as they are in every count and every subscriber's eyes.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Message, Receipt } from '../../broker/message.ts'
import type { Match, Subscriber } from '../../broker/topics/subscription.ts'
import { runOf } from '../support/runs.ts'
import { Device, type Node, Nodes } from './nodes.ts'

/** A subscriber that takes runs, and keeps them. */
class RunClient implements Subscriber {
  readonly takesRuns = true
  readonly got: Message[] = []

  deliver(message: Message, _match: Match): void {
    this.got.push(message)
  }

  get texts(): string[] {
    return this.got.flatMap(textsOf)
  }
}

function textsOf(message: Message): string[] {
  const singles = message.count > 1 ? message.singles() : [message]
  return singles.map(single => Buffer.from(single.payload()).toString())
}

/** Keeps what its publishes were answered: one line a receipt. */
class Receipts implements Receipt {
  readonly lines: string[] = []

  published(token: number, reason: number, count: number): void {
    this.lines.push(`${token}+${count}: ${reason}`)
  }
}

function publish(
  node: Node,
  topic: string,
  texts: readonly string[],
  qos: 0 | 1,
  receipt: Receipt,
  token = 1
): boolean {
  const run = runOf(node.broker.topic(topic), texts, qos)
  if (qos === 1) {
    run.receipt = receipt
    run.token = token
  }
  return node.broker.publish(run)
}

const numbered = (count: number, from = 0): string[] => Array.from({ length: count }, (_, i) => `${from + i}`)

for (const qos of [0, 1] as const) {
  test(`a run of QoS ${qos} reaches every node as one, and each subscriber as it takes it`, async () => {
    const nodes = await Nodes.started(1, 3)
    const [publisher, owner, other] = nodes.all as [Node, Node, Node]
    const topic = nodes.topicOf(owner)
    const plain = []
    for (const node of nodes.all) plain.push(await nodes.subscribe(node, topic))
    const taking = nodes.all.map(() => new RunClient())
    for (const [i, client] of taking.entries()) {
      const options = { qos: 1 as const, noLocal: false, retainAsPublished: false, identifier: 0 }
      await nodes.settle(nodes.at(i).broker.subscribe(client, '#', options), 10_000)
    }
    const receipts = new Receipts()
    const device = new Device(publisher)
    device.publish(topic, 'before', { qos })
    publish(publisher, topic, numbered(5), qos, receipts, 40)
    device.publish(topic, 'after', { qos })
    await nodes.simulation.run(1000)
    const expected = ['before', ...numbered(5), 'after']
    for (const client of plain) {
      assert.deepEqual(client.texts, expected)
      assert.deepEqual(
        client.got.map(({ offset }) => offset),
        [1, 2, 3, 4, 5, 6, 7],
        'a place for each message'
      )
    }
    for (const client of taking) {
      assert.deepEqual(client.texts, expected)
      assert.deepEqual(
        client.got.map(({ count, offset }) => [count, offset]),
        [
          [1, 1],
          [5, 2],
          [1, 7]
        ]
      )
    }
    assert.deepEqual(receipts.lines, qos === 0 ? [] : ['40+5: 0'])
    const counters = nodes.all.map(({ broker }) => broker.status().counters)
    assert.equal(counters[0]!['published'], 7)
    assert.equal(counters[1]!['ordered'], 7)
    assert.equal(counters[1]!['sentToNodes'], 14)
    assert.equal(counters[2]!['delivered'], 14)
    assert.equal(other.broker.status().counters['duplicates'], 0)
  })
}

test('a run that nobody subscribes to is answered as such, for all of it', async () => {
  const nodes = await Nodes.started(1, 2)
  const receipts = new Receipts()
  for (const owner of nodes.all) publish(nodes.at(0), nodes.topicOf(owner), numbered(3), 1, receipts)
  await nodes.simulation.run(1000)
  assert.deepEqual(receipts.lines, ['1+3: 16', '1+3: 16'])
})

test('the windows of messages count the messages of runs', async () => {
  const publishWindow = 10
  const nodes = await Nodes.started(1, 2, { publishWindow })
  const [near, far] = nodes.all as [Node, Node]
  const topic = nodes.topicOf(far)
  const receipts = new Receipts()
  far.host.pause()
  assert.equal(publish(near, topic, numbered(6), 1, receipts, 1), true)
  assert.equal(publish(near, topic, numbered(6), 1, receipts, 7), false, 'the window is full')
  far.host.resume()
  await nodes.simulation.run(1000)
  assert.deepEqual(receipts.lines, ['1+6: 16', '7+6: 16'])
  assert.equal(publish(near, topic, numbered(6), 1, receipts, 13), true)
  // As the owner: a subscriber's node that takes nothing.
  const own = nodes.topicOf(near)
  await nodes.subscribe(far, own)
  far.host.pause()
  publish(near, own, numbered(6), 1, receipts)
  assert.equal(publish(near, own, numbered(6), 1, receipts), false, 'the row is full')
  far.host.resume()
  await nodes.simulation.run(1000)
})

test('runs are dropped and counted message by message where QoS 0 finds no room', async () => {
  const nodes = await Nodes.started(1, 2, { linkBufferBytesMax: 64 * 1024 })
  const [owner, still] = nodes.all as [Node, Node]
  const topic = nodes.topicOf(owner)
  const missing = await nodes.subscribe(still, topic)
  const receipts = new Receipts()
  still.host.pause()
  const runs = 100
  for (let i = 0; i < runs; i++) {
    publish(owner, topic, Array<string>(20).fill('x'.repeat(1000)), 0, receipts)
    await nodes.simulation.run(1)
  }
  still.host.resume()
  await nodes.simulation.run(3000)
  const dropped = owner.broker.status().counters['droppedLinkFull']!
  assert.ok(dropped > 0 && dropped % 20 === 0)
  assert.equal(missing.got.length + dropped, runs * 20)
})

test('runs kept for late subscribers count as their messages, and make room for each other', async () => {
  const replayMax = 30
  const nodes = await Nodes.started(1, 3, { replayMax })
  const [owner, late, gone] = nodes.all as [Node, Node, Node]
  const topics = ['a/', 'b/', 'c/'].map(prefix => nodes.topicOf(gone, prefix))
  const clients = [await nodes.subscribe(owner, '#'), await nodes.subscribe(late, '#')]
  const receipts = new Receipts()
  gone.host.crash()
  // The owner of some of its topics gets them, and before the other has said that its part is in, that one stands still.
  await nodes.simulation.until(
    () => topics.some(topic => owner.broker.ownerOf(topic) === owner.broker.id),
    60_000
  )
  late.host.pause()
  const gained = topics.filter(topic => owner.broker.ownerOf(topic) === owner.broker.id)
  let keptMost = 0
  for (let i = 0; i < 40; i++) {
    publish(owner, gained[i % gained.length]!, [`${i}a`, `${i}b`, `${i}c`, `${i}d`], 1, receipts, i * 4)
    const { kept } = owner.broker.status().waiting
    keptMost = Math.max(keptMost, kept)
    assert.ok(kept <= replayMax, `${kept} are kept`)
  }
  const { replayOverflows } = owner.broker.status().counters
  assert.ok(keptMost > replayMax - 4)
  assert.ok(replayOverflows! >= 160 - replayMax, `${replayOverflows} were given up`)
  late.host.resume()
  await nodes.simulation.run(20_000)
  assert.equal(receipts.lines.length, 40)
  for (const client of clients) assert.equal(new Set(client.texts).size, 160)
  assert.equal(owner.broker.status().waiting.kept, 0)
})
