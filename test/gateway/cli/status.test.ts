// `shoal status` as people see it.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { BrokerStatus } from '../../../broker/broker.ts'
import { describe } from '../../../gateway/cli/status.ts'

const member = { instance: 'i', incarnation: 1, state: 'alive', phase: 'serving', client: false, self: false }

const status: BrokerStatus = {
  id: '10.0.0.1:7979',
  instance: 'i',
  ready: true,
  members: [
    { ...member, id: '10.0.0.1:7979', share: 0.6123, self: true },
    { ...member, id: '10.0.0.2:7979', share: 0.3877, state: 'suspect' },
    { ...member, id: '10.0.0.10:7979', share: 0, client: true }
  ],
  links: [
    { id: '10.0.0.2:7979', state: 'up', bytesIn: 1_572_864, bytesOut: 512, buffered: 0 },
    { id: '10.0.0.10:7979', state: 'down', bytesIn: 0, bytesOut: 0, buffered: 0 }
  ],
  ring: { digest: '0badcafe', nodes: 2, agreed: true },
  topics: 3,
  subscriptions: 1,
  retained: 2,
  clients: 1,
  sessions: 0,
  waiting: { publishes: 0, deliveries: 0, gated: 0, kept: 0 },
  counters: {}
}

test('members stand in a table, with their part of the ring and the link to them', () => {
  assert.deepEqual(describe(status), [
    '10.0.0.1:7979 is ready; ring 0badcafe of 2 nodes',
    '',
    'member           state    phase      ring  link    received   sent  waiting',
    '10.0.0.1:7979 *  alive    serving  61.2 %  itself         -      -        -',
    '10.0.0.2:7979    suspect  serving  38.8 %  up       1.5 MiB  512 B      0 B',
    '10.0.0.10:7979   alive    serving       -  down         0 B    0 B      0 B',
    '',
    '1 client, 1 subscription, 3 topics, 2 retained'
  ])
})

test('a node that is not ready, and a ring that is not agreed on, are said to be so', () => {
  const [first] = describe({ ...status, ready: false, ring: { ...status.ring, agreed: false } })
  assert.equal(first, '10.0.0.1:7979 is not ready; ring 0badcafe of 2 nodes, changing')
})
