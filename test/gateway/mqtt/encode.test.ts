import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { IPublishPacket } from 'mqtt-packet'
import { Message } from '../../../broker/message.ts'
import { parsePacket } from '../../../gateway/mqtt/control-packets.ts'
import { Encoder } from '../../../gateway/mqtt/encode.ts'
import { FakeBroker } from '../../support/fake-broker.ts'
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
        if (qos === 1) bytes.writeUInt16BE(4711, encoder.idOffset)
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

test('messages of every size around those of lengths and slabs come out whole', () => {
  const encoder = new Encoder()
  for (const size of [0, 1, 120, 121, 122, 123, 124, 125, 16_370, 16_380, 16_384, 65_530, 65_536, 300_000]) {
    const payload = Buffer.alloc(size, 7)
    const message = new Message(broker.topic('t'), payload, 0, size, 0, false)
    encoder.publish4(message)
    encoder.publish5(message)
    const three = parsePacket(Buffer.from(message.mqtt3!.subarray(message.mqtt3Start, message.mqtt3End)), 4)
    const five = parsePacket(Buffer.from(message.mqtt5!.subarray(message.mqtt5Start, message.mqtt5End)), 5)
    assert.deepEqual((three as IPublishPacket).payload, payload)
    assert.deepEqual((five as IPublishPacket).payload, payload)
  }
})

test('messages encoded one after the other lie one after the other', () => {
  const encoder = new Encoder()
  const make = (): Message => new Message(broker.topic('t'), Buffer.from('payload'), 0, 7, 1, false)
  const [a, b] = [make(), make()]
  encoder.publish4(a)
  encoder.publish4(b)
  assert.equal(a.mqtt3, b.mqtt3)
  assert.equal(a.mqtt3End, b.mqtt3Start)
  const template = encoder.templateOf(a, 4)
  const { start } = template
  assert.equal(encoder.templateOf(a, 4).start, start, 'the last message is not encoded again')
})
