import assert from 'node:assert/strict'
import { Duplex } from 'node:stream'
import { test } from 'node:test'
import fc from 'fast-check'
import { type IPublishPacket, type Packet, parser } from 'mqtt-packet'
import { Acks } from '../../broker/link/acks.ts'
import { DataReceiver } from '../../broker/link/data-receiver.ts'
import { DataSender } from '../../broker/link/data-sender.ts'
import { FLAGS, FRAME } from '../../broker/link/frame.ts'
import { Reader } from '../../broker/link/reader.ts'
import { VARINT_BYTES_MAX, writeVarint } from '../../broker/link/varint.ts'
import { Writer } from '../../broker/link/writer.ts'
import type { Message, OriginName, QoS } from '../../broker/message.ts'
import { type PacketVersion, RUN_BYTES_MAX, RUN_MESSAGES_MAX } from '../../broker/run.ts'
import { packetsOf, runOf } from '../support/runs.ts'
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

const runs = fc
  .record({
    topic: fc.constantFrom(...topics),
    sizes: fc.array(fc.oneof(fc.nat(200), fc.nat(10_000)), { minLength: 2, maxLength: 20 }),
    qos: fc.constantFrom<QoS>(0, 1, 2),
    version: fc.constantFrom<PacketVersion>(4, 5),
    origin: fc.option(fc.constantFrom(ours, theirs, ...others)),
    sequence: fc.nat(),
    hops: fc.nat({ max: 3 }),
    epoch: fc.nat({ max: 2 }),
    offset: fc.nat(),
    isDelivery: fc.boolean()
  })
  .filter(({ topic, sizes }) => {
    return sizes.reduce((sum, size) => sum + size + topic.bytes.length + 9, 0) <= RUN_BYTES_MAX
  })
  .map(({ topic, sizes, qos, version, origin, sequence, hops, epoch, offset, isDelivery }) => {
    const run = runOf(
      topic,
      sizes.map((size, i) => new Uint8Array(size).fill(i)),
      qos,
      version
    )
    run.origin = origin
    if (origin !== null) run.sequence = sequence
    if (isDelivery) run.place(epoch, offset)
    else run.hops = hops
    return { message: run, isDelivery }
  })

test('messages come back as they were, in their order, however the bytes are cut and however few names there are', () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof({ weight: 3, arbitrary: messages }, { weight: 1, arbitrary: runs }), {
        maxLength: 40
      }),
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

/** A receiver that knows topic 0 as `t`, and the body of a run frame for it. */
function runFrame(version: PacketVersion, count: number, packets: Uint8Array, qos: QoS): Buffer {
  const flags = qos | (version === 5 ? FLAGS.VERSION_5 : 0)
  const fields = Buffer.alloc(1 + 2 * VARINT_BYTES_MAX)
  fields[0] = flags
  let at = writeVarint(fields, 1, 0)
  at = writeVarint(fields, at, count)
  return Buffer.concat([fields.subarray(0, at), packets])
}

function receiver(): DataReceiver {
  const node = new Recorder()
  const made = new DataReceiver(node, node.origin(theirs.instance), node.origin(ours.instance), 4)
  const definition = Buffer.from('\0\0t')
  made.defineTopic(definition, 0, definition.length)
  return made
}

function read(body: Buffer): Message {
  return receiver().message(FRAME.PUBLISH_RUN, body, 0, body.length)
}

test('a run that is not what it says it is is refused', () => {
  const packets = packetsOf('t', ['a', 'b', 'c'], 1, 4)
  assert.equal(read(runFrame(4, 3, packets, 1)).count, 3)
  const withProperties = runFrame(4, 3, packets, 1)
  withProperties[0]! |= FLAGS.PROPERTIES
  const refused: readonly [why: string, body: Buffer][] = [
    ['fewer packets than it says', runFrame(4, 4, packets, 1)],
    ['more packets than it says', runFrame(4, 2, packets, 1)],
    ['one message is no run', runFrame(4, 1, packetsOf('t', ['a'], 1, 4), 1)],
    ['nothing', runFrame(4, 0, Buffer.alloc(0), 1)],
    ['a byte too few', runFrame(4, 3, packets.subarray(0, -1), 1)],
    ['a byte too many', runFrame(4, 3, Buffer.concat([packets, Buffer.from('x')]), 1)],
    [
      'another topic',
      runFrame(4, 2, Buffer.concat([packetsOf('t', ['a'], 1, 4), packetsOf('u', ['b'], 1, 4)]), 1)
    ],
    ['another QoS', runFrame(4, 3, packets, 0)],
    ['another version', runFrame(5, 3, packets, 1)],
    ['an id of 0', runFrame(4, 2, packetsOf('t', ['a', 'b'], 1, 4, 0), 1)],
    ['properties', withProperties],
    ['QoS 3', runFrame(4, 3, packets, 3 as QoS)],
    [
      'too many messages',
      runFrame(4, RUN_MESSAGES_MAX + 1, packetsOf('t', Array(RUN_MESSAGES_MAX + 1).fill(''), 0, 4), 0)
    ],
    [
      'too many bytes',
      runFrame(4, 3, packetsOf('t', Array(3).fill(Buffer.alloc(RUN_BYTES_MAX / 3)), 0, 4), 0)
    ]
  ]
  for (const [why, body] of refused) assert.throws(() => read(body), { code: 'FRAME_INVALID' }, why)
})

test('whatever becomes of the bytes of a run, what is not refused is PUBLISH packets of its topic and QoS', () => {
  const change = fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 }))
  fc.assert(
    fc.property(
      fc.array(fc.nat(200), { minLength: 2, maxLength: 5 }),
      fc.constantFrom<QoS>(0, 1, 2),
      fc.constantFrom<PacketVersion>(4, 5),
      fc.array(change, { minLength: 1, maxLength: 3 }),
      (sizes, qos, version, changes) => {
        const payloads = sizes.map(size => Buffer.alloc(size, 'x'))
        const body = runFrame(version, sizes.length, packetsOf('t', payloads, qos, version), qos)
        for (const [at, byte] of changes) body[at % body.length] = byte
        let run: Message
        try {
          run = read(body)
        } catch (error) {
          assert.equal((error as { code?: string }).code, 'FRAME_INVALID')
          return
        }
        if (run.count === 1) return
        const packets: Packet[] = []
        const reader = parser({ protocolVersion: run.packetVersion })
        reader.on('packet', packet => packets.push(packet))
        reader.on('error', error => assert.fail(error))
        reader.parse(body.subarray(run.packetStart, run.payloadEnd))
        assert.equal(packets.length, run.count)
        for (const packet of packets as IPublishPacket[]) {
          assert.deepEqual([packet.cmd, packet.topic, packet.qos], ['publish', 't', run.qos])
          assert.deepEqual([packet.retain, packet.dup, packet.properties], [false, false, undefined])
        }
      }
    ),
    { numRuns: 2000 }
  )
})
