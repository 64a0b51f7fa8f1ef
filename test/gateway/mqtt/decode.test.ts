import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { IPubackPacket, IPublishPacket } from 'mqtt-packet'
import { parsePacket } from '../../../gateway/mqtt/control-packets.ts'
import { checkPuback, Header, PublishView, packetId, type Version } from '../../../gateway/mqtt/decode.ts'
import { TopicCache } from '../../../gateway/mqtt/topic-cache.ts'
import { FakeBroker } from '../../support/fake-broker.ts'
import { encoded, mutated, publish, version } from './packets.ts'

interface Read {
  topic: string
  qos: number
  dup: boolean
  retain: boolean
  id: number
  payload: Buffer
  properties: Buffer
}

const view = new PublishView()
const header = new Header()

/** What the gateway reads; null if it refuses. */
function readByHand(packet: Buffer, version: Version): Read | null {
  if (header.read(packet, 0, packet.length) !== 1 || header.end !== packet.length || !header.minimal)
    return null
  if (view.read(packet, packet[0]!, header.start, header.end, version) !== 0) return null
  const topic = new TopicCache(new FakeBroker()).find(packet, view.topicStart, view.topicEnd)
  if (topic === null) return null
  const { qos, dup, retain, id } = view
  const properties = packet.subarray(view.propertiesStart, view.propertiesEnd)
  return { topic: topic.name, qos, dup, retain, id, payload: packet.subarray(view.payloadStart), properties }
}

/** What mqtt-packet takes and the specification does not; each alone explains why we refuse. */
const laxities: Record<string, (packet: IPublishPacket, bytes: Buffer, version: Version) => boolean> = {
  'DUP at QoS 0 [MQTT-3.3.1-2]': packet => packet.dup && packet.qos === 0,
  'packet id 0, or cut short [MQTT-2.2.1-3]': packet => packet.qos > 0 && (packet.messageId ?? 0) < 1,
  'an empty topic [MQTT-4.7.3-1]': packet => packet.topic === '',
  'a wildcard in a topic [MQTT-3.3.2-2]': packet => /[+#]/.test(packet.topic),
  'U+0000 in a topic [MQTT-1.5.4-2]': packet => packet.topic.includes('\0'),
  'a topic that is not UTF-8 [MQTT-1.5.4-1]': (packet, bytes) => !bytes.includes(Buffer.from(packet.topic)),
  'a remaining length that is not minimal [MQTT-1.5.5-1]': (_packet, bytes) => {
    const length = bytes.findIndex((byte, i) => i > 0 && byte < 128)
    return length > 1 && bytes[length] === 0
  },
  'properties that are not valid': (_packet, bytes, version) =>
    version === 5 && !propertiesAreValid(propertyBlock(bytes))
}

function propertyBlock(bytes: Buffer): Buffer | null {
  let at = bytes.findIndex((byte, i) => i > 0 && byte < 128) + 1
  at += 2 + bytes.readUInt16BE(at) + ((bytes[0]! & 6) > 0 ? 2 : 0)
  const length = variableAt(bytes, at)
  if (length === null || length.next + length.value > bytes.length) return null
  return bytes.subarray(length.next, length.next + length.value)
}

function variableAt(bytes: Buffer, at: number): { value: number; next: number } | null {
  let value = 0
  for (let i = 0; i < 4; i++) {
    const byte = bytes[at + i]
    if (byte === undefined) return null
    value += (byte & 127) * 128 ** i
    if (byte < 128) return i > 0 && byte === 0 ? null : { value, next: at + i + 1 }
  }
  return null
}

/** The rules for PUBLISH's properties again, as plainly as can be. */
function propertiesAreValid(block: Buffer | null): boolean {
  if (block === null) return false
  const seen = new Set<number>()
  let rest = block
  const take = (bytes: number): Buffer | null => {
    if (bytes > rest.length) return null
    const taken = rest.subarray(0, bytes)
    rest = rest.subarray(bytes)
    return taken
  }
  const binary = (): Buffer | null => {
    const length = take(2)
    return length === null ? null : take(length.readUInt16BE())
  }
  const string = (): string | null => {
    const value = binary()
    if (value === null) return null
    const decoded = value.toString()
    return Buffer.from(decoded).equals(value) && !decoded.includes('\0') ? decoded : null
  }
  while (rest.length > 0) {
    const id = take(1)![0]!
    if (id !== 0x26 && seen.has(id)) return false
    seen.add(id)
    if (id === 0x01) {
      const value = take(1)
      if (value === null || value[0]! > 1) return false
    } else if (id === 0x02) {
      if (take(4) === null) return false
    } else if (id === 0x03) {
      if (string() === null) return false
    } else if (id === 0x08) {
      const topic = string()
      if (topic === null || /[+#]/.test(topic)) return false
    } else if (id === 0x09) {
      if (binary() === null) return false
    } else if (id === 0x26) {
      if (string() === null || string() === null) return false
    } else return false // another packet's, unknown, or a topic alias or subscription identifier
  }
  return true
}

/** Whether the bytes are one packet by their remaining length, which the framing has made sure of before. */
function isOnePacket(bytes: Buffer): boolean {
  let length = 0
  for (let i = 1; i < 5; i++) {
    const byte = bytes[i] ?? 0
    length += (byte & 127) * 128 ** (i - 1)
    if (byte < 128) return length + i + 1 === bytes.length
  }
  return false
}

function agree(bytes: Buffer, version: Version): void {
  if (!isOnePacket(bytes) || bytes[0]! >> 4 !== 3) return
  const ours = readByHand(bytes, version)
  const theirs = parsePacket(bytes, version) as IPublishPacket | null
  if (ours === null) {
    if (theirs === null) return
    const why = Object.entries(laxities).filter(([, explains]) => explains(theirs, bytes, version))
    assert.notEqual(why.length, 0, `refused without a reason: ${bytes.toString('hex')}`)
    return
  }
  assert.ok(theirs !== null, `taken, but mqtt-packet refuses: ${bytes.toString('hex')}`)
  for (const [why, explains] of Object.entries(laxities)) {
    assert.ok(!explains(theirs, bytes, version), `taken in spite of ${why}: ${bytes.toString('hex')}`)
  }
  assert.equal(ours.topic, theirs.topic)
  assert.equal(ours.qos, theirs.qos)
  assert.equal(ours.dup, theirs.dup)
  assert.equal(ours.retain, theirs.retain)
  if (ours.qos > 0) assert.equal(ours.id, theirs.messageId)
  assert.deepEqual(ours.payload, theirs.payload)
  if (version === 5) assert.deepEqual(ours.properties, propertyBlock(bytes))
}

test('PUBLISH as mqtt-packet writes it is read as mqtt-packet reads it', () => {
  fc.assert(fc.property(publish, version, (packet, version) => agree(encoded(packet, version), version)))
})

test('PUBLISH with changed, lost and added bytes is read alike, or refused by both, or by us for a listed reason', () => {
  const bytes = version.chain(version =>
    fc.tuple(mutated(publish.map(packet => encoded(packet, version))), fc.constant(version))
  )
  fc.assert(
    fc.property(bytes, ([bytes, version]) => agree(bytes, version)),
    { numRuns: 3000 }
  )
})

test('arbitrary bytes behind the header of a PUBLISH are read alike or refused', () => {
  const bytes = fc.tuple(fc.integer({ min: 0x30, max: 0x3f }), fc.uint8Array({ maxLength: 60 }))
  fc.assert(
    fc.property(bytes, version, ([first, body], version) => {
      agree(Buffer.concat([Buffer.from([first, body.length]), body]), version)
    }),
    { numRuns: 3000 }
  )
})

test('each reason by which we are stricter than mqtt-packet is met by a packet', () => {
  const examples: [Version, string][] = [
    [4, '3803000161'],
    [4, '32050001610000'],
    [4, '30020000'],
    [4, '300300012b'],
    [4, '3003000100'],
    [4, '30030001ff'],
    [4, '30830000016101'],
    [5, '30060001610201ff']
  ]
  const met = new Set<string>()
  for (const [version, hex] of examples) {
    const bytes = Buffer.from(hex, 'hex')
    const parsed = parsePacket(bytes, version) as IPublishPacket | null
    if (parsed === null) continue
    assert.equal(readByHand(bytes, version), null, hex)
    for (const [why, explains] of Object.entries(laxities)) if (explains(parsed, bytes, version)) met.add(why)
  }
  assert.deepEqual([...met].sort(), Object.keys(laxities).sort())
})

test('PUBACK is read as mqtt-packet reads it, or refused', () => {
  const body = fc.tuple(
    fc.integer({ min: 0, max: 65_535 }),
    fc.option(fc.constantFrom(0, 0x10, 0x80, 0x97, 0x42), { nil: null }),
    fc.option(fc.uint8Array({ maxLength: 6 }), { nil: null })
  )
  fc.assert(
    fc.property(body, version, ([id, reason, properties], version) => {
      const rest = reason === null ? [] : [reason, ...(properties ?? [])]
      const bytes = Buffer.from([0x40, 2 + rest.length, id >> 8, id & 255, ...rest])
      const ours = checkPuback(bytes, 2, bytes.length, version)
      const theirs = parsePacket(bytes, version) as IPubackPacket | null
      if (ours === 0) {
        assert.equal(packetId(bytes, 2), theirs?.messageId)
      } else if (theirs !== null) {
        // mqtt-packet takes id 0, bytes behind the end, and properties that are none.
        assert.ok(id === 0 || rest.length > 1 || (version === 4 && rest.length > 0), bytes.toString('hex'))
      }
    })
  )
})

test('a remaining length of more than four bytes is refused, an unfinished one is waited for', () => {
  assert.equal(header.read(Buffer.from([0x30, 0xff, 0xff, 0xff, 0xff, 1]), 0, 6), -1)
  for (let arrived = 1; arrived < 5; arrived++) {
    assert.equal(header.read(Buffer.from([0x30, 0xff, 0xff, 0xff, 0x7f]), 0, arrived), 0)
  }
  assert.equal(header.read(Buffer.from([0x30, 0xff, 0xff, 0xff, 0x7f]), 0, 5), 1)
  assert.equal(header.end, 5 + 268_435_455)
})

test('topics are found again whatever came between, also when more than can be remembered came', () => {
  const broker = new FakeBroker()
  const cache = new TopicCache(broker)
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < 600; i++) {
      const name = Buffer.from(`sensors/${i}/é`)
      assert.equal(cache.find(name, 0, name.length), broker.topic(`sensors/${i}/é`))
      assert.equal(cache.find(name, 0, name.length), broker.topic(`sensors/${i}/é`))
    }
  }
})
