import assert from 'node:assert/strict'
import { it } from 'node:test'
import { Message } from '../../broker/message.ts'
import { Ordering } from '../../broker/router/order.ts'
import type { Peer } from '../../broker/router/peer.ts'
import type { Router } from '../../broker/router/router.ts'
import { Topic } from '../../broker/topics/topic.ts'

it('a message does not pass those at the gate, although the gate has opened', () => {
  const topic = new Topic<Peer>('t', 0)
  const ordered: string[] = []
  const router = {
    counters: { ordered: 0, droppedQueueFull: 0 },
    epoch: () => 1,
    options: { replayMax: 10 },
    routes: { version: 0, match: () => {} },
    view: { self: null, refresh: () => {} },
    delivering: {
      local: (_topic: Topic<Peer>, message: Message) => {
        ordered.push(Buffer.from(message.payload()).toString())
        return 1
      }
    }
  }
  const ordering = new Ordering(router as unknown as Router)
  const accept = (text: string): void => {
    const payload = Buffer.from(text)
    ordering.accept(topic, new Message(topic, payload, 0, payload.length, 0, false), null)
  }
  topic.gated = true
  accept('first')
  topic.gated = false
  accept('second')
  assert.deepEqual(ordered, [])
  assert.equal(ordering.gatedCount, 2)
  ordering.openGates()
  accept('third')
  assert.deepEqual(ordered, ['first', 'second', 'third'])
  assert.equal(ordering.gatedCount, 0)
})
