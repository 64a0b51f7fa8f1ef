import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { IPublishPacket } from 'mqtt-packet'
import { Message } from '../../../broker/message.ts'
import { behindTopic, packetEnd } from '../../../broker/run.ts'
import { parsePacket } from '../../../gateway/mqtt/control-packets.ts'
import type { Version } from '../../../gateway/mqtt/decode.ts'
import { Encoder } from '../../../gateway/mqtt/encode.ts'
import { FakeBroker } from '../../support/fake-broker.ts'
import { runOf } from '../../support/runs.ts'
import { text, version } from './packets.ts'

const broker = new FakeBroker()
const topic = text.filter(name => name !== '' && !/[+#\0]/.test(name))
const identifiers = fc.array(fc.integer({ min: 1, max: 268_435_455 }), { maxLength: 3 })

test('a PUBLISH of any message is read back by mqtt-packet', () => {
  const encoder = new Encoder()
  fc.assert(
    fc.property(
      topic,
      fc.uint8Array({ maxLength: 300 }),
      fc.constantFrom<0 | 1>(0, 1),
      fc.boolean(),
      identifiers,
      version,
      (name, payload, qos, retain, identifiers, version) => {
        const message = new Message(
          broker.topic(name),
          Buffer.concat([Buffer.from('xx'), payload]),
          2,
          2 + payload.length,
          qos,
          false
        )
        message.properties = Buffer.from([0x01, 0x01])
        encoder.write(message, version, qos, retain, version === 5 ? identifiers : [])
        const bytes = Buffer.from(encoder.buffer.subarray(encoder.start, encoder.end))
        if (qos === 1) bytes.writeUInt16BE(4711, behindTopic(bytes, 0))
        const packet = parsePacket(bytes, version) as IPublishPacket | null
        assert.ok(packet !== null)
        assert.equal(packet.topic, name)
        assert.deepEqual([packet.qos, packet.retain, packet.dup], [qos, retain, false])
        assert.deepEqual(Buffer.from(packet.payload), Buffer.from(payload))
        if (qos === 1) assert.equal(packet.messageId, 4711)
        if (version === 5) {
          assert.equal(packet.properties?.payloadFormatIndicator, true)
          assert.deepEqual([packet.properties?.subscriptionIdentifier ?? []].flat(), identifiers)
        }
      }
    )
  )
})

/** What `find` finds. */
function found(encoder: Encoder, message: Message, version: Version, qos: 0 | 1): Buffer {
  encoder.find(message, version, qos)
  return Buffer.from(encoder.buffer.subarray(encoder.start, encoder.end))
}

test('messages of every size around those of lengths and slabs come out whole', () => {
  const encoder = new Encoder()
  for (const size of [0, 1, 120, 121, 122, 123, 124, 125, 16_370, 16_380, 16_384, 65_530, 65_536, 300_000]) {
    const payload = Buffer.alloc(size, 7)
    const message = new Message(broker.topic('t'), payload, 0, size, 0, false)
    for (const version of [4, 5] as const) {
      const packet = parsePacket(found(encoder, message, version, 0), version)
      assert.deepEqual((packet as IPublishPacket).payload, payload)
    }
  }
})

test('messages encoded one after the other lie one after the other', () => {
  const encoder = new Encoder()
  const make = (): Message => new Message(broker.topic('t'), Buffer.from('payload'), 0, 7, 1, false)
  const [a, b] = [make(), make()]
  encoder.find(a, 4, 0)
  const { buffer, end } = encoder
  encoder.find(b, 4, 0)
  assert.equal(encoder.buffer, buffer)
  assert.equal(encoder.start, end)
  encoder.find(a, 4, 1)
  const { start } = encoder
  encoder.find(a, 5, 1)
  encoder.find(a, 4, 1)
  assert.equal(encoder.start, start, 'the last message is not encoded again')
})

test('a run in any version and QoS is its messages in that version and QoS, one behind the other', () => {
  const encoder = new Encoder()
  const size = fc.oneof(fc.nat(300), fc.constant(9000))
  const qos = fc.constantFrom<0 | 1>(0, 1)
  fc.assert(
    fc.property(
      topic,
      fc.array(size, { minLength: 2, maxLength: 6 }),
      version,
      qos,
      version,
      qos,
      (name, sizes, read, readQos, asked, askedQos) => {
        const payloads = sizes.map((size, i) => Buffer.alloc(size, i))
        const run = runOf(broker.topic(name), payloads, readQos, read)
        assert.equal(run.count, payloads.length)
        const whole = found(encoder, run, asked, askedQos)
        const plain = payloads.map(bytes => {
          const single = new Message(broker.topic(name), bytes, 0, bytes.length, 1, false)
          return found(encoder, single, asked, askedQos)
        })
        const isAsRead = asked === read && askedQos === readQos
        assert.deepEqual(found(encoder, run, asked, askedQos), whole, 'the second time too')
        assert.deepEqual(isAsRead ? withoutIds(whole, askedQos) : whole, Buffer.concat(plain))
      }
    )
  )
})

/** The packets with ids of 0. */
function withoutIds(packets: Buffer, qos: 0 | 1): Buffer {
  for (let at = 0; qos === 1 && at < packets.length; at = packetEnd(packets, at))
    packets.writeUInt16BE(0, behindTopic(packets, at))
  return packets
}
