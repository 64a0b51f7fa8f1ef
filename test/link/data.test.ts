import assert from 'node:assert/strict'
import { Duplex } from 'node:stream'
import { test } from 'node:test'
import fc from 'fast-check'
import { Acks } from '../../broker/link/acks.ts'
import { DataReceiver } from '../../broker/link/data-receiver.ts'
import { DataSender } from '../../broker/link/data-sender.ts'
import { FRAME } from '../../broker/link/frame.ts'
import { Reader } from '../../broker/link/reader.ts'
import { Writer } from '../../broker/link/writer.ts'
import type { Message, OriginName, QoS } from '../../broker/message.ts'
import { contentOf, messageOf, Recorder } from './support.ts'

/** A sender whose bytes are kept, and a receiver that can be fed with them in any pieces. */
function pair(topicsMax = 4): {
  sender: DataSender
  writer: Writer
  feed(cuts: number[]): void
  got: Message[]
  acks: unknown[]
} {
  const chunks: Buffer[] = []
  const duplex = new Duplex({
    read() {},
    write(chunk, _encoding, done) {
      chunks.push(chunk)
      done()
    }
  })
  const clock = {
    now: () => 0,
    wall: () => 0,
    after: () => ({ cancel() {} }),
    every: () => ({ cancel() {} }),
    defer() {}
  }
  const writer = new Writer(duplex, clock, 2 ** 30, { flushing() {}, moved() {} })
  const sender = new DataSender(writer, ours, theirs, 2 ** 24 - 1, topicsMax)
  const node = new Recorder()
  const receiver = new DataReceiver(node, node.origin(theirs.instance), node.origin(ours.instance), topicsMax)
  const got: Message[] = []
  const acks: unknown[] = []
  const reader = new Reader(
    {
      frame(type, buffer, start, end) {
        if (type === FRAME.DEFINE_TOPIC) receiver.defineTopic(buffer, start, end)
        else if (type === FRAME.DEFINE_ORIGIN) receiver.defineOrigin(buffer, start, end)
        else if (type === FRAME.PUBLISH_ACK) {
          receiver.publishAck(buffer, start, end, (origin, first, last, reason) => {
            acks.push({ origin: origin.instance, first, last, reason })
          })
        } else if (type === FRAME.DELIVER_ACK) acks.push(receiver.deliverAck(buffer, start, end))
        else got.push(receiver.message(type, buffer, start, end))
      }
    },
    2 ** 24 - 1
  )
  const feed = (cuts: number[]): void => {
    writer.flush()
    const bytes = Buffer.concat(chunks.splice(0))
    let at = 0
    for (const cut of [...cuts, bytes.length]) {
      const end = Math.min(bytes.length, at + cut)
      if (end > at) reader.push(Buffer.from(bytes.subarray(at, end)))
      at = end
    }
  }
  return { sender, writer, feed, got, acks }
}

const ours: OriginName = { instance: '1111111111111111' }
const theirs: OriginName = { instance: '2222222222222222' }
const others: OriginName[] = [{ instance: '3333333333333333' }, { instance: '4444444444444444' }]
const topics = Array.from({ length: 9 }, (_, i) => {
  const name = `t/${'ü'.repeat(i * i)}/${i}`
  return { name, bytes: Buffer.from(name) }
})

const number = fc.oneof(fc.nat({ max: 300 }), fc.maxSafeNat())
const messages = fc
  .record({
    topic: fc.constantFrom(...topics),
    payload: fc.oneof(
      fc.uint8Array({ maxLength: 100 }),
      fc.nat({ max: 20_000 }).map(length => new Uint8Array(length).fill(length))
    ),
    qos: fc.constantFrom<QoS>(0, 1, 2),
    retain: fc.boolean(),
    properties: fc.option(fc.uint8Array({ maxLength: 300 })),
    origin: fc.option(fc.constantFrom(ours, theirs, ...others)),
    sequence: number,
    hops: fc.nat({ max: 3 }),
    epoch: fc.oneof(fc.nat({ max: 2 }), number),
    offset: number,
    isDelivery: fc.boolean()
  })
  .map(({ topic, payload, qos, retain, isDelivery, ...fields }) => {
    const message = Object.assign(messageOf(topic, payload, qos, retain), fields)
    if (message.origin === null) message.sequence = 0
    if (isDelivery) message.hops = 0
    else message.epoch = message.offset = 0
    return { message, isDelivery }
  })

test('messages come back as they were, in their order, however the bytes are cut and however few names there are', () => {
  fc.assert(
    fc.property(
      fc.array(messages, { maxLength: 40 }),
      fc.array(fc.integer({ min: 1, max: 700 })),
      (sent, cuts) => {
        const { sender, feed, got } = pair()
        for (const { message, isDelivery } of sent) {
          if (isDelivery) sender.deliver(message)
          else sender.publish(message)
        }
        feed(cuts)
        assert.deepEqual(
          got.map(contentOf),
          sent.map(({ message }) => contentOf(message))
        )
      }
    ),
    { numRuns: 300 }
  )
})

test('bytes that arrive one by one are the same frames', () => {
  const { sender, feed, got } = pair()
  for (const topic of topics) sender.publish(messageOf(topic, topic.name))
  feed(new Array(5000).fill(1))
  assert.deepEqual(
    got.map(({ topic }) => topic.name),
    topics.map(({ name }) => name)
  )
})

test('a topic is named once, however often it is used', () => {
  const { sender, writer } = pair()
  for (let i = 0; i < 100; i++) sender.publish(messageOf(topics[0]!, 'x'))
  assert.equal(writer.framesOut, 101)
})

test('a topic that is in use keeps its number while others come and go', () => {
  const { sender, writer } = pair(4)
  const hot = topics[0]!
  sender.publish(messageOf(hot, 'x'))
  let defined = 0
  for (let i = 0; i < 100; i++) {
    sender.publish(messageOf(topics[1 + (i % 8)]!, 'x'))
    const before = writer.framesOut
    sender.publish(messageOf(hot, 'x'))
    if (writer.framesOut - before > 1) defined++
  }
  assert.ok(defined < 40, `defined anew ${defined} times`)
})

test('a payload that is large is written from where it is', () => {
  const written: Uint8Array[] = []
  const duplex = new Duplex({
    read() {},
    write(chunk, _encoding, done) {
      written.push(chunk)
      done()
    }
  })
  const clock = {
    now: () => 0,
    wall: () => 0,
    after: () => ({ cancel() {} }),
    every: () => ({ cancel() {} }),
    defer() {}
  }
  const writer = new Writer(duplex, clock, 2 ** 30, { flushing() {}, moved() {} })
  const sender = new DataSender(writer, ours, theirs, 2 ** 24 - 1, 4)
  const payload = Buffer.alloc(10_000)
  sender.publish(messageOf(topics[0]!, payload))
  writer.flush()
  assert.equal(written.length, 2)
  assert.equal(written[1]!.buffer, payload.buffer)
})

test('acknowledgements that touch become one range, those of another origin or reason do not', () => {
  const { sender, feed, acks } = pair()
  const waiting = new Acks(sender)
  for (const sequence of [5, 6, 8, 7, 4]) waiting.published(theirs, sequence, sequence, 0)
  waiting.published(others[0]!, 9, 9, 0)
  waiting.published(theirs, 9, 9, 0x10)
  waiting.delivered(3)
  waiting.delivered(7)
  assert.equal(waiting.isEmpty, false)
  waiting.write()
  assert.equal(waiting.isEmpty, true)
  feed([])
  assert.deepEqual(acks, [
    { origin: theirs.instance, first: 4, last: 6, reason: 0 },
    { origin: theirs.instance, first: 7, last: 8, reason: 0 },
    { origin: others[0]!.instance, first: 9, last: 9, reason: 0 },
    { origin: theirs.instance, first: 9, last: 9, reason: 0x10 },
    7
  ])
})

test('every acknowledgement arrives, whatever their order', () => {
  const origin = fc.constantFrom(ours, theirs, ...others)
  fc.assert(
    fc.property(fc.array(fc.tuple(origin, fc.nat({ max: 60 })), { maxLength: 200 }), settled => {
      const { sender, feed, acks } = pair()
      const waiting = new Acks(sender)
      for (const [of, sequence] of settled) waiting.published(of, sequence, sequence, 0)
      waiting.write()
      feed([])
      const expected = settled.map(([of, sequence]) => `${of.instance} ${sequence}`)
      const got = (acks as { origin: string; first: number; last: number }[]).flatMap(
        ({ origin, first, last }) =>
          Array.from({ length: last - first + 1 }, (_, i) => `${origin} ${first + i}`)
      )
      assert.deepEqual(got.toSorted(), expected.toSorted())
    })
  )
})

test('a message that the peer would not accept is refused before anything of it is written', () => {
  const { sender, feed, got } = pair()
  sender.publish(messageOf(topics[0]!, 'before'))
  assert.throws(() => sender.publish(messageOf(topics[0]!, new Uint8Array(2 ** 24))), {
    code: 'FRAME_TOO_LARGE'
  })
  sender.publish(messageOf(topics[0]!, 'after'))
  feed([])
  assert.equal(got.length, 2)
})
