// Brokers with keys: they serve as those without, also while the keys change.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ClusterKeys } from '../../broker/cluster-keys.ts'
import { Message } from '../../broker/message.ts'
import { type Node, Nodes } from './nodes.ts'

function keysOf(...numbers: number[]): ClusterKeys {
  return new ClusterKeys(numbers.map(number => Buffer.alloc(32, number).toString('hex')))
}

/** Publishes at one node at QoS 1, and waits until another's subscriber has got it. */
async function talks(nodes: Nodes, from: Node, to: Node, topic: string): Promise<void> {
  let got = 0
  const subscriber = { deliver: () => got++ }
  const options = { qos: 1, noLocal: false, retainAsPublished: false, identifier: 0 } as const
  await nodes.settle(to.broker.subscribe(subscriber, topic, options), 10_000)
  const message = new Message(from.broker.topic(topic), Buffer.from('x'), 0, 1, 1, false)
  from.broker.publish(message)
  await nodes.simulation.until(() => got === 1, 10_000)
}

test('keys change node by node while others join, and all go on talking', async () => {
  const nodes = new Nodes(11)
  const keys = [keysOf(1), keysOf(1), keysOf(1)]
  for (const clusterKeys of keys) await nodes.join({ clusterKeys })
  await talks(nodes, nodes.at(0), nodes.at(1), 'before')
  for (const step of [[1, 2], [2, 1], [2]]) {
    for (const own of keys) {
      own.replaceBy(keysOf(...step))
      await nodes.simulation.run(2000)
    }
    const late = keysOf(...step)
    keys.push(late)
    const joined = await nodes.join({ clusterKeys: late })
    await talks(nodes, nodes.at(0), joined, `to ${step}`)
    await talks(nodes, joined, nodes.at(1), `from ${step}`)
  }
  for (const { broker } of nodes.all) {
    const { members, counters } = broker.status()
    assert.equal(members.length, 6)
    assert.equal(counters['gossipRefused']! + counters['linksRefused']!, 0)
  }
})

test('a broker with another key is let in nowhere, and counted; it is, once it has the key', async () => {
  const nodes = new Nodes(12)
  const first = await nodes.join({ clusterKeys: keysOf(1) })
  const keys = keysOf(9)
  const stranger = nodes.add({ clusterKeys: keys })
  const started = stranger.broker.start()
  await nodes.simulation.run(10_000)
  assert.equal(stranger.broker.ready, false)
  assert.equal(first.broker.status().members.length, 1)
  assert.ok(first.broker.status().counters['linksRefused']! > 0)
  keys.replaceBy(keysOf(1))
  await nodes.settle(started, 30_000)
  await talks(nodes, first, stranger, 'in')
})

test('a broker that strangers could reach does not start without a key, unless it is told to', async () => {
  const nodes = new Nodes(13)
  await assert.rejects(nodes.settle(nodes.add({ insecure: false }).broker.start(), 1000), {
    code: 'OPTION_INVALID',
    fields: {
      option: 'clusterHost',
      value: '10.0.0.1',
      allowed: 'an address of loopback, unless there are clusterKeys, or insecure is true'
    }
  })
})
