import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Session, type SessionLimits, type SessionOperation } from '../../../gateway/aedes/session.ts'
import { SubscriptionIndex } from '../../../gateway/aedes/subscription-index.ts'

const LIMITS: SessionLimits = { subscriptionsMax: 2, queueMax: 3, sessionBytesMax: 100 }

function made(limits: Partial<SessionLimits> = {}): { session: Session; index: SubscriptionIndex } {
  const index = new SubscriptionIndex()
  return { session: new Session('client', index, { ...LIMITS, ...limits }), index }
}

function enqueue(brokerCounter: number, size = 10): SessionOperation {
  const bytes = new Uint8Array(size)
  return { do: 'enqueue', brokerId: 'a', brokerCounter, messageId: undefined, bytes }
}

function counters(session: Session): (number | undefined)[] {
  return session.queued(0).map(({ brokerCounter }) => brokerCounter)
}

test('a packet that is queued twice is there once', () => {
  const { session } = made()
  assert.equal(session.apply(enqueue(1)).changed, true)
  assert.equal(session.apply(enqueue(1)).changed, false)
  assert.deepEqual(counters(session), [1])
})

test('a full queue keeps what it has, and counts what it drops', () => {
  const { session } = made()
  for (let counter = 1; counter <= 5; counter++) session.apply(enqueue(counter))
  assert.deepEqual(counters(session), [1, 2, 3])
  assert.equal(session.dropped, 2)
})

test('bytes are given back with what they were taken for', () => {
  const { session } = made({ queueMax: 100 })
  for (let round = 0; round < 5; round++) {
    assert.equal(session.apply(enqueue(round + 1, 60)).changed, true)
    assert.equal(session.apply({ do: 'keepIncoming', messageId: 1, bytes: new Uint8Array(40) }).result, true)
    assert.equal(session.apply({ do: 'keepIncoming', messageId: 2, bytes: new Uint8Array(1) }).result, false)
    assert.equal(session.apply({ do: 'dropIncoming', messageId: 1 }).result, true)
    const name = { brokerId: 'a', brokerCounter: round + 1, messageId: 7 }
    session.apply({ do: 'update', isPublish: true, bytes: new Uint8Array(60), ...name })
    const pubrel = { brokerId: undefined, brokerCounter: undefined, messageId: 7 }
    session.apply({ do: 'update', isPublish: false, bytes: new Uint8Array(4), ...pubrel })
    assert.equal(session.queued(0).length, 1)
    assert.equal(session.apply({ do: 'dequeue', ...pubrel }).changed, true)
    assert(session.isEmpty)
  }
})

test('what is delivered for a subscription that was stored too late is queued when it is sent', () => {
  const { session } = made()
  const name = { brokerId: 'a', brokerCounter: 9, messageId: 1 }
  session.apply({ do: 'update', isPublish: true, bytes: new Uint8Array(5), ...name })
  assert.deepEqual(counters(session), [9])
})

test('a broker deletes the will that was put by it, and no younger one', () => {
  const { session } = made()
  const will = { brokerId: 'b', node: 'n', bytes: new Uint8Array(1) }
  session.apply({ do: 'putWill', will })
  assert.equal(session.apply({ do: 'deleteWill', brokerId: 'a' }).result, null)
  assert.deepEqual(session.apply({ do: 'deleteWill', brokerId: 'b' }).result, will)
})

test('subscriptions beyond the limit are refused as a whole, known ones are replaced', () => {
  const { session, index } = made()
  const subscribe = (...topics: string[]): unknown =>
    session.apply({ do: 'subscribe', subscriptions: topics.map(topic => ({ topic, qos: 1 })) }).result
  assert.equal(subscribe('a', 'b'), true)
  assert.equal(subscribe('b', 'c'), false)
  assert.equal(subscribe('a'), true)
  assert.deepEqual(index.match('c'), [])
  assert.equal(index.match('a').length, 1)
})

test('a session that is decoded is the same, and matches as the first one did', () => {
  const { session, index } = made()
  session.apply({
    do: 'subscribe',
    subscriptions: [
      { topic: 'a/+', qos: 1 },
      { topic: 'b', qos: 0 }
    ]
  })
  session.apply(enqueue(1))
  session.apply({ do: 'keepIncoming', messageId: 4, bytes: new Uint8Array([1]) })
  session.apply({ do: 'putWill', will: { brokerId: 'b', node: 'n', bytes: new Uint8Array([2]) } })
  const other = made()
  other.session.decode(session.encode())
  assert.deepEqual(other.session.encode(), session.encode())
  assert.deepEqual(other.index.match('a/x'), index.match('a/x'))
  assert.deepEqual(other.index.match('b'), [])
  other.session.retire()
  assert.deepEqual(other.index.match('a/x'), [])
})
