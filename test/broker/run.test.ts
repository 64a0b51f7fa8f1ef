import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { test } from 'node:test'
import fc from 'fast-check'
import type { QoS } from '../../broker/message.ts'
import { behindTopic, type PacketVersion, packetEnd, RunView } from '../../broker/run.ts'
import { packetsOf, runOf } from '../support/runs.ts'

const qos = fc.constantFrom<QoS>(0, 1, 2)
const version = fc.constantFrom<PacketVersion>(4, 5)
const heads = [0x30, 0x32, 0x34]

/** Reads as many of `packets` as there are, from `at` on, as a run. */
function viewOf(
  packets: Uint8Array,
  at: number,
  qos: QoS,
  version: PacketVersion,
  countMax = 1000,
  topic = 't'
): RunView {
  const view = new RunView()
  const limit = packets.length
  view.read(packets, at, limit, heads[qos]!, Buffer.from(topic), version, countMax, Number.MAX_SAFE_INTEGER)
  return view
}

test('a run goes on as long as packets are alike, and no further', () => {
  // Compared byte by byte, and eight bytes at a time.
  const name = fc.constantFrom(
    't',
    'four',
    'sixsix',
    'sevenup',
    'fifteen/letters',
    'a/longer/topic/with/33/letters/ü',
    '🙂🙂🙂'
  )
  const packet = fc.record({
    other: fc.oneof({ weight: 9, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: fc.nat() }),
    size: fc.oneof(fc.nat(300), fc.constantFrom(100, 110, 122, 123, 124, 125, 126, 16_350, 16_384)),
    qos: fc.constantFrom<QoS>(0, 0, 0, 0, 0, 1),
    retain: fc.nat(9).map(n => n === 0)
  })
  fc.assert(
    fc.property(
      name,
      fc.array(packet, { maxLength: 12 }),
      version,
      fc.nat(12),
      (name, row, version, countMax) => {
        const packets = row.map(({ other, size, qos, retain }) => {
          const bytes = packetsOf(name, [Buffer.alloc(size, 1)], qos, version)
          if (retain) bytes[0]! |= 1
          const topic = bytes.indexOf(name, 3) // Behind head and length, which may look like it.
          // Another letter in its place, or nothing that is a topic at all.
          if (other !== null) bytes[topic + (other % Buffer.byteLength(name))]! ^= 1 + (other % 255)
          return bytes
        })
        let count = 0
        let end = 0
        for (const [i, { other, qos, retain }] of row.entries()) {
          // A length of two bytes tells of 16,383 at most.
          const isLong = packets[i]!.length > 16_383 + 3
          if (other !== null || qos !== 0 || retain || isLong || count === countMax) break
          count++
          end += packets[i]!.length
        }
        const view = viewOf(Buffer.concat(packets), 0, 0, version, countMax, name)
        assert.deepEqual([view.count, view.end], [count, end])
      }
    ),
    { numRuns: 1000 }
  )
})

test('a packet that has not arrived whole, or is larger than may be, ends a run', () => {
  const packets = packetsOf('t', ['one', 'two', 'three'], 1, 5)
  for (let missing = 1; missing < 5; missing++) {
    assert.equal(viewOf(packets.subarray(0, -missing), 0, 1, 5).count, 2)
  }
  const view = new RunView()
  const largest = packetsOf('t', ['two'], 1, 5).length
  view.read(packets, 0, packets.length, heads[1]!, Buffer.from('t'), 5, 10, largest)
  assert.equal(view.count, 2)
  view.read(packets, 0, packets.length - 3, heads[1]!, Buffer.from('t'), 5, 10, largest)
  assert.equal(view.count, 2)
})

test('a length that takes more bytes than it must ends a run', () => {
  const packets = packetsOf('t', ['one', 'two'], 0, 4)
  const length = packets[1]!
  const stretched = Buffer.concat([
    packets,
    Buffer.from([0x30, length | 0x80, 0]),
    packets.subarray(2, 2 + length)
  ])
  assert.equal(viewOf(stretched, 0, 0, 4).count, 2)
})

test('where a packet ends, and what stands behind its topic, is told for packets of any size', () => {
  for (const size of [0, 1, 120, 128, 16_380, 16_384, 2_097_152]) {
    for (const version of [4, 5] as const) {
      const packets = packetsOf('some/topic', [Buffer.alloc(size, 1), 'x'], 1, version, 0x1234)
      const end = packetEnd(packets, 0)
      assert.equal(packets.readUInt16BE(behindTopic(packets, 0)), 0x1234)
      assert.equal(packets.readUInt16BE(behindTopic(packets, end)), 0x1235)
      assert.equal(packetEnd(packets, end), packets.length)
    }
  }
})

test('the messages of a run are what was published, one place after the other, and the same for all who ask', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 200 }), { minLength: 2, maxLength: 9 }),
      qos,
      version,
      (payloads, qos, version) => {
        const topic = { name: 't', bytes: Buffer.from('t') }
        const run = runOf(topic, payloads, qos, version)
        run.origin = { instance: '1111111111111111' }
        run.sequence = 41
        run.publisher = {}
        run.place(7, 100)
        const singles = run.singles()
        assert.equal(run.singles(), singles)
        assert.deepEqual(
          singles.map(single => [...single.payload()]),
          payloads.map(payload => [...payload])
        )
        for (const [i, single] of singles.entries()) {
          assert.deepEqual([single.epoch, single.offset, single.sequence], [7, 100 + i, 41 + i])
          assert.deepEqual([single.topic, single.qos, single.retain], [topic, qos, false])
          assert.deepEqual(
            [single.origin, single.publisher, single.receipt],
            [run.origin, run.publisher, null]
          )
          const packet = Buffer.from(single.buffer.subarray(single.packetStart, single.payloadEnd))
          assert.deepEqual(packet, packetsOf('t', [payloads[i]!], qos, version, i + 1))
        }
        run.place(8, 1)
        assert.deepEqual(
          run.singles().map(({ epoch, offset }) => [epoch, offset])[1],
          [8, 2],
          'ordered again'
        )
      }
    )
  )
})
