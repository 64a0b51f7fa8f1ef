import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { QoS } from '../../broker/message.ts'
import type { Session } from '../../broker/sessions/session.ts'
import type { SessionWill } from '../../broker/sessions/will.ts'
import { connected, kept, matchOf, messageWith, Port, World } from './bench.ts'

function say(session: Session, text: string, qos: QoS = 1): void {
  session.deliver(messageWith(text, qos), matchOf(session, 2), false)
}

function willWith(delaySeconds: number): SessionWill {
  const payload = Buffer.from('will')
  return { topic: 'w', payload, qos: 1, retain: false, properties: null, delaySeconds }
}

test('what is in flight comes again to the next connection, in its order, with its ids and DUP; then what waited', () => {
  const session = new World().session()
  const first = connected(session, kept, new Port(3))
  for (const [text, qos] of [
    ['a', 1],
    ['b', 2],
    ['c', 2],
    ['d', 1],
    ['e', 0]
  ] as const)
    say(session, text, qos)
  assert.deepEqual(first.said, ['publish 1 a qos1', 'publish 2 b qos2', 'publish 3 c qos2'])
  session.pubrec(3, 0)
  assert.deepEqual(first.said, ['pubrel 3'])
  session.detach(first, true)
  say(session, 'f')
  const second = connected(session)
  assert.deepEqual(second.said, [
    'publish 1 a qos1 dup',
    'publish 2 b qos2 dup',
    'pubrel 3',
    'publish 4 d qos1',
    'publish 0 e qos0',
    'publish 5 f qos1'
  ])
})

test('QoS 2 to the client: its id is free after PUBCOMP only, and an acknowledgement of another kind changes nothing', () => {
  const session = new World().session()
  const port = connected(session, kept, new Port(1))
  say(session, 'a', 2)
  say(session, 'b', 2)
  session.acknowledged(1)
  session.pubcomp(1)
  assert.deepEqual(port.said, ['publish 1 a qos2'])
  session.pubrec(1, 0)
  session.acknowledged(1)
  assert.deepEqual(port.said, ['pubrel 1'])
  session.pubcomp(1)
  assert.deepEqual(port.said, ['publish 2 b qos2'])
  session.pubrec(2, 0x97)
  session.pubrec(9, 0)
  assert.deepEqual(port.said, [`pubrel 9 ${0x92}`])
})

test('QoS 2 from the client is published once, acknowledged when it is safe, in order, also to the next connection', () => {
  const world = new World()
  const session = world.session()
  const first = connected(session)
  for (const [id, text] of [
    [7, 'a'],
    [5, 'b'],
    [7, 'a']
  ] as const)
    session.publish(id, messageWith(text, 2))
  assert.deepEqual(world.texts, ['a', 'b'])
  session.published(5, 0)
  assert.deepEqual(first.said, [])
  session.detach(first, true)
  const second = connected(session)
  session.publish(5, messageWith('b', 2))
  session.published(7, 0)
  assert.deepEqual(second.said, ['pubrec 7', 'pubrec 5'])
  session.publish(7, messageWith('a', 2))
  assert.deepEqual(world.texts, [])
  session.pubrel(7)
  session.pubrel(7)
  assert.deepEqual(second.said, ['pubrec 7', 'pubcomp 7', `pubcomp 7 ${0x92}`])
  session.publish(7, messageWith('c', 2))
  session.published(7, 0x97)
  session.publish(7, messageWith('c', 2))
  assert.deepEqual(world.texts, ['c', 'c'])
  assert.deepEqual(second.said, [`pubrec 7 ${0x97}`])
})

test('while the client is away QoS 0 is dropped, or kept by option; a full queue drops the oldest, or the newest', () => {
  for (const queueQosZero of [false, true]) {
    for (const sessionOverflow of ['drop-oldest', 'drop-newest'] as const) {
      const world = new World({ queueQosZero, sessionOverflow, sessionQueueMax: 3 })
      const session = world.session()
      session.detach(connected(session), false)
      for (const [text, qos] of [
        ['a', 0],
        ['b', 1],
        ['c', 1],
        ['d', 2]
      ] as const)
        say(session, text, qos)
      const got = connected(session).said.map(line => line.split(' ')[2])
      const overflowed = sessionOverflow === 'drop-oldest' ? ['b', 'c', 'd'] : ['a', 'b', 'c']
      assert.deepEqual(got, queueQosZero ? overflowed : ['b', 'c', 'd'])
      assert.equal(world.counters.sessionDropped, queueQosZero ? 1 : 0)
      assert.equal(world.counters.sessionDroppedQos0, queueQosZero ? 0 : 1)
    }
  }
})

test('what has waited longer than its expiry interval is not sent', () => {
  const world = new World()
  const session = world.session()
  session.detach(connected(session), false)
  for (const [text, seconds] of [
    ['a', 5],
    ['b', 60]
  ] as const) {
    const properties = Buffer.from([0x01, 1, 0x02, 0, 0, 0, seconds])
    session.deliver(messageWith(text, 1, properties), matchOf(session, 1), false)
  }
  world.advance(session, 10_000)
  assert.deepEqual(connected(session).said, ['publish 1 b qos1'])
  assert.equal(world.counters.sessionDroppedExpired, 1)
})

test('a session ends when its expiry has passed, with its connection if that is 0, and never if the client says so', () => {
  for (const [expirySeconds, atDisconnect, aliveAfterSeconds] of [
    [60, undefined, 59],
    [60, 10, 9],
    [4_294_967_295, undefined, Infinity],
    [0, undefined, -1]
  ] as const) {
    const world = new World()
    const session = world.session()
    const port = connected(session, { expirySeconds, will: null })
    session.detach(port, false, atDisconnect)
    world.advance(session, Math.min(10_000, Math.max(0, aliveAfterSeconds)) * 1000)
    assert.equal(session.isEnded, aliveAfterSeconds === -1)
    if (aliveAfterSeconds === Infinity) continue
    world.advance(session, 2000)
    assert.ok(session.isEnded)
    assert.equal(world.ends, 1)
  }
})

test('a will waits for its delay or the end of the session, whichever comes first; a resumption or a goodbye cancels it', () => {
  const world = new World()
  const lost = (delaySeconds: number, expirySeconds: number): Session => {
    const session = world.session()
    session.detach(connected(session, { expirySeconds, will: willWith(delaySeconds) }), true)
    return session
  }
  lost(0, 60)
  assert.deepEqual(world.texts, ['will'])
  const delayed = lost(10, 60)
  world.advance(delayed, 9000)
  assert.deepEqual(world.texts, [])
  world.advance(delayed, 2000)
  assert.deepEqual(world.texts, ['will'])
  assert.ok(!delayed.isEnded)
  world.advance(lost(100, 20), 21_000)
  assert.deepEqual(world.texts, ['will'])
  lost(100, 0)
  assert.deepEqual(world.texts, ['will'])
  const resumed = lost(10, 60)
  connected(resumed)
  world.advance(resumed, 70_000)
  const left = world.session()
  left.detach(connected(left, { expirySeconds: 60, will: willWith(0) }), false)
  assert.deepEqual(world.texts, [])
})

test('a newer connection takes the session, and what the older one still says is not heard', () => {
  const world = new World()
  const session = world.session()
  const older = connected(session, { expirySeconds: 60, will: willWith(0) })
  say(session, 'a')
  assert.deepEqual(older.said, ['publish 1 a qos1'])
  const newer = connected(session)
  assert.deepEqual(world.texts, ['will'])
  session.detach(older, true, 0)
  assert.ok(!session.isEnded)
  assert.deepEqual(newer.said, ['publish 1 a qos1 dup'])
})

test('a client that takes too little gets no QoS 0, and no more at once than it asked for', () => {
  const world = new World()
  const session = world.session()
  const port = connected(session, kept, new Port(2))
  port.isCongested = true
  say(session, 'a', 0)
  port.isCongested = false
  for (const text of ['b', 'c', 'd']) say(session, text)
  assert.deepEqual(port.said, ['publish 1 b qos1', 'publish 2 c qos1'])
  session.acknowledged(2)
  assert.deepEqual(port.said, ['publish 3 d qos1'])
  session.discarded(1)
  assert.equal(session.inflight.count, 1)
})
