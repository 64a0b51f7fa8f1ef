import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ShoalError } from '../../broker/errors.ts'
import { Cursor, utf8, VARINT_BYTES_MAX, writeVarint } from '../../broker/link/varint.ts'

function encode(value: number): Buffer {
  const buffer = Buffer.alloc(VARINT_BYTES_MAX + 2)
  return buffer.subarray(0, writeVarint(buffer, 0, value))
}

const hex: [number, string][] = [
  [0, '00'],
  [127, '7f'],
  [128, '8001'],
  [16_383, 'ff7f'],
  [16_384, '808001'],
  [2 ** 28 - 1, 'ffffff7f'],
  [2 ** 28, '8080808001'],
  [2 ** 31, '8080808008'],
  [2 ** 32, '8080808010'],
  [2 ** 53 - 1, 'ffffffffffffff0f']
]

test('a varint has seven bits a byte, lowest first', () => {
  for (const [value, bytes] of hex) assert.equal(encode(value).toString('hex'), bytes)
})

test('every integer of up to 53 bits comes back as it was', () => {
  const integers = fc.oneof(
    fc.maxSafeNat(),
    fc.nat({ max: 52 }).chain(bits => fc.integer({ min: -2, max: 2 }).map(d => Math.max(0, 2 ** bits + d)))
  )
  fc.assert(
    fc.property(integers, fc.nat({ max: 3 }), (value, offset) => {
      const buffer = Buffer.alloc(16, 0xff)
      const end = writeVarint(buffer, offset, value)
      const cursor = new Cursor().set(buffer, offset, end)
      assert.equal(cursor.varint(), value)
      assert.equal(cursor.at, end)
      assert.ok(end - offset <= VARINT_BYTES_MAX)
    })
  )
})

test('any bytes are a safe integer or FRAME_INVALID', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 12 }), bytes => {
      const cursor = new Cursor().set(Buffer.from(bytes), 0, bytes.length)
      try {
        assert.ok(Number.isSafeInteger(cursor.varint()))
        assert.ok(cursor.at <= bytes.length)
      } catch (error) {
        assert.ok(error instanceof ShoalError && error.code === 'FRAME_INVALID')
      }
    }),
    { numRuns: 1000 }
  )
  assert.throws(() => new Cursor().set(Buffer.from('ffffffffffffff1f', 'hex'), 0, 8).varint(), /valid frame/)
})

test('a string that is not UTF-8 is refused, and a byte order mark is kept', () => {
  assert.throws(() => utf8(Buffer.from([0xc3, 0x28])), { code: 'FRAME_INVALID' })
  assert.equal(utf8(Buffer.from('\ufeffx')), '\ufeffx')
})
