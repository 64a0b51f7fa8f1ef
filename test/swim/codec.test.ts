import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ShoalError } from '../../broker/errors.ts'
import {
  decodePacket,
  decodeState,
  encodeAck,
  encodeNack,
  encodeNews,
  encodePacket,
  encodePing,
  encodePingRequest,
  encodeState,
  HEADER_BYTES,
  NEWS_BYTES_MIN,
  type SwimMessage
} from '../../broker/swim/codec.ts'
import { PACKET_BYTES_MAX } from '../../broker/swim/config.ts'
import { parseId } from '../../broker/swim/member.ts'
import { encodeMeta, META_BYTES_MAX, type Meta, sameMeta } from '../../broker/swim/meta.ts'
import { checksumSeal } from '../../broker/swim/seal.ts'
import { memberId, message, meta, news } from './arbitraries.ts'

const RING = 0xdecaf

function encode(each: SwimMessage): Uint8Array {
  switch (each.kind) {
    case 'ping':
      return encodePing(each)
    case 'ack':
      return encodeAck(each)
    case 'nack':
      return encodeNack(each.sequence)
    case 'pingRequest':
      return encodePingRequest(each)
    case 'news':
      return encodeNews(each.news)
  }
}

/** Does it, or throws PACKET_INVALID; anything else fails the test. */
function attempt<T>(decode: () => T): T | null {
  try {
    return decode()
  } catch (error) {
    assert.ok(error instanceof ShoalError && error.code === 'PACKET_INVALID', String(error))
    return null
  }
}

test('any messages come out of a packet as they went in', () => {
  fc.assert(
    fc.property(fc.array(message, { minLength: 1, maxLength: 5 }), messages => {
      const packet = encodePacket(RING, messages.map(encode))
      fc.pre(packet.length <= PACKET_BYTES_MAX)
      assert.deepEqual(decodePacket(RING, checksumSeal.open(checksumSeal.seal(packet)).packet), messages)
    })
  )
})

test('any news fits a packet of its own, sealed', () => {
  const longest = `${'h'.repeat(249)}:65535`
  const large: Meta = { text: 'x'.repeat(META_BYTES_MAX - 1 - 1 - 4 - 1 - 2) }
  assert.equal(encodeMeta(large).length, META_BYTES_MAX)
  const bytes = encodeNews({
    id: longest,
    ...parseId(longest)!,
    instance: 'f'.repeat(16),
    incarnation: 2 ** 48 - 2,
    state: 'suspect',
    accuser: longest,
    meta: large
  })
  assert.ok(bytes.length + HEADER_BYTES + checksumSeal.overheadBytes <= PACKET_BYTES_MAX)
})

test('no news is shorter than the constant says', () => {
  fc.assert(fc.property(news, each => assert.ok(encodeNews(each).length >= NEWS_BYTES_MIN)))
})

test('any state comes out as it went in', () => {
  fc.assert(
    fc.property(memberId, fc.array(news, { maxLength: 20 }), (sender, all) => {
      const state = { sender, news: all }
      assert.deepEqual(decodeState(RING, encodeState(RING, state), 20), state)
    })
  )
})

test('arbitrary bytes are refused with PACKET_INVALID and nothing else', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 2000 }), bytes => {
      attempt(() => checksumSeal.open(bytes))
      attempt(() => decodePacket(RING, bytes))
      attempt(() => decodeState(RING, bytes, 100))
      const header = encodePacket(RING, [])
      attempt(() => decodePacket(RING, Buffer.concat([header, bytes])))
      attempt(() => decodeState(RING, Buffer.concat([header, bytes]), 100))
    }),
    { numRuns: 2000 }
  )
})

test('a packet that was changed on its way does not pass the seal', () => {
  const change = fc.record({ at: fc.nat(), to: fc.integer({ min: 1, max: 255 }) })
  fc.assert(
    fc.property(message, change, (each, { at, to }) => {
      const sealed = checksumSeal.seal(encodePacket(RING, [encode(each)]))
      sealed[at % sealed.length]! ^= to
      assert.equal(
        attempt(() => checksumSeal.open(sealed)),
        null
      )
    })
  )
})

test('behind the seal too, damage is refused with PACKET_INVALID or read as another valid packet', () => {
  const damage = fc.array(fc.record({ at: fc.nat(), to: fc.integer({ min: 0, max: 255 }) }), {
    minLength: 1,
    maxLength: 4
  })
  fc.assert(
    fc.property(message, damage, fc.nat({ max: 10 }), (each, changes, cut) => {
      const packet = encodePacket(RING, [encode(each)])
      for (const { at, to } of changes) packet[at % packet.length] = to
      const damaged = packet.subarray(0, packet.length - cut)
      const messages = attempt(() => decodePacket(RING, damaged))
      if (messages !== null) assert.ok(encodePacket(RING, messages.map(encode)).length <= damaged.length)
    }),
    { numRuns: 2000 }
  )
})

test('every proper beginning of a packet is refused', () => {
  fc.assert(
    fc.property(message, each => {
      const packet = encodePacket(RING, [encode(each)])
      for (let length = 0; length < packet.length; length++) {
        assert.equal(
          attempt(() => decodePacket(RING, packet.subarray(0, length))),
          null
        )
      }
    }),
    { numRuns: 50 }
  )
})

test('another version, another ring, and packets beyond the limit are refused', () => {
  const packet = encodePacket(RING, [encodeNack(1)])
  assert.equal(
    attempt(() => decodePacket(RING + 1, packet)),
    null
  )
  const newer = packet.slice()
  newer[0] = 2
  assert.equal(
    attempt(() => decodePacket(RING, newer)),
    null
  )
  const long = encodePacket(
    RING,
    Array.from({ length: 300 }, () => encodeNack(1))
  )
  assert.ok(long.length > PACKET_BYTES_MAX)
  assert.equal(
    attempt(() => decodePacket(RING, long)),
    null
  )
})

test('a state that claims more members than it has bytes for, or than allowed, is refused before it is read', () => {
  const bytes = encodeState(RING, { sender: 'a:1', news: [] })
  new DataView(bytes.buffer).setUint32(bytes.length - 4, 0xffff_ffff)
  assert.equal(
    attempt(() => decodeState(RING, bytes, 2 ** 32)),
    null
  )
  const one = encodeState(RING, { sender: 'a:1', news: fc.sample(news, 3) })
  assert.equal(
    attempt(() => decodeState(RING, one, 2)),
    null
  )
})

test('meta of 512 bytes is taken, one more is LIMIT_EXCEEDED', () => {
  const room = META_BYTES_MAX - 1 - 2 - 1 - 2
  assert.equal(encodeMeta({ m: 'x'.repeat(room) }).length, META_BYTES_MAX)
  assert.throws(() => encodeMeta({ m: 'x'.repeat(room + 1) }), { code: 'LIMIT_EXCEEDED' })
  assert.throws(() => encodeMeta({ m: 'x'.repeat(70_000) }), { code: 'LIMIT_EXCEEDED' })
  assert.throws(() => encodeMeta({ ['n'.repeat(300)]: true }), { code: 'LIMIT_EXCEEDED' })
  const many = Object.fromEntries(Array.from({ length: 256 }, (_, i) => [String(i), true]))
  assert.throws(() => encodeMeta(many), { code: 'LIMIT_EXCEEDED' })
})

test('a meta equals itself whatever the order of its names, and no other', () => {
  fc.assert(
    fc.property(meta, meta, (a, b) => {
      assert.ok(sameMeta(a, Object.fromEntries(Object.entries(a).reverse())))
      assert.equal(sameMeta(a, b), sameMeta(b, a))
    })
  )
  assert.equal(sameMeta({ a: 1 }, { a: 2 }), false)
  assert.equal(sameMeta({ a: 1 }, { b: 1 }), false)
  assert.equal(sameMeta({ a: 1 }, { a: 1, b: 1 }), false)
})
