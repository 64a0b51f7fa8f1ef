import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ShoalError } from '../../broker/errors.ts'
import { decodeValue, encodeValue, VALUE_DEPTH_MAX } from '../../broker/link/value.ts'

test('what JSON can say, undefined, bytes and dates come back as they were', () => {
  const values = fc
    .anything({ withDate: true, withBigInt: false, maxDepth: 4 })
    .filter(value => !hasInvalidDate(value))
  fc.assert(
    fc.property(values, value => {
      assert.deepEqual(decodeValue(encodeValue(value)), packable(value))
    })
  )
  assert.deepEqual(decodeValue(encodeValue({ bytes: Buffer.from('abc') })), { bytes: Buffer.from('abc') })
  for (const value of [
    2 ** 53 - 1,
    -(2 ** 53 - 1),
    2 ** 32,
    1.5,
    -0.25,
    null,
    undefined,
    '',
    'ü',
    2n ** 62n
  ]) {
    assert.deepEqual(decodeValue(encodeValue(value)), value)
  }
})

/** One invalid date does not equal another. */
function hasInvalidDate(value: unknown): boolean {
  if (value instanceof Date) return Number.isNaN(value.getTime())
  return typeof value === 'object' && value !== null && Object.values(value).some(hasInvalidDate)
}

/** The one key that MessagePack's decoder renames, so that no prototype can be set from the wire; and -0. */
function packable(value: unknown): unknown {
  if (Object.is(value, -0)) return 0
  if (Array.isArray(value)) return Array.from(value, packable)
  if (typeof value !== 'object' || value === null || value instanceof Date) return value
  const result: Record<string, unknown> = {}
  for (const [key, each] of Object.entries(value))
    result[key === '__proto__' ? '__proto_' : key] = packable(each)
  return result
}

test('any bytes are a value or FRAME_INVALID', () => {
  const valid = fc.jsonValue().map(value => Buffer.from(encodeValue(value)))
  const damaged = fc.tuple(valid, fc.nat(), fc.nat({ max: 255 })).map(([bytes, at, byte]) => {
    const copy = Buffer.from(bytes)
    if (copy.length > 0) copy[at % copy.length] = byte
    return copy
  })
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array({ maxLength: 40 }).map(bytes => Buffer.from(bytes)),
        damaged
      ),
      bytes => {
        try {
          decodeValue(bytes)
        } catch (error) {
          assert.ok(error instanceof ShoalError && error.code === 'FRAME_INVALID', String(error))
        }
      }
    ),
    { numRuns: 5000 }
  )
})

test('counts that the bytes do not bear out allocate nothing', () => {
  const lies = ['ddffffffff', 'dfffffffff', 'dc8000c0', 'c6ffffffff', 'dbffffffff', 'dd00100000c0c0']
  for (const lie of lies) assert.throws(() => decodeValue(Buffer.from(lie, 'hex')), { code: 'FRAME_INVALID' })
})

test('what nests too deep is refused on both sides', () => {
  let deep: unknown = 1
  for (let i = 0; i < VALUE_DEPTH_MAX; i++) deep = [deep]
  assert.deepEqual(decodeValue(encodeValue(deep)), deep)
  assert.throws(() => encodeValue([deep]), { code: 'BAD_REQUEST' })
  assert.throws(() => decodeValue(Buffer.alloc(100_000, 0x91)), { code: 'FRAME_INVALID' })
})

test('extensions other than dates and undefined are refused', () => {
  for (const extension of ['d47240', 'd46500', 'd6620000000a', 'c70173', 'c1']) {
    assert.throws(() => decodeValue(Buffer.from(extension, 'hex')), { code: 'FRAME_INVALID' })
  }
})

test('a value that cannot be sent is BAD_REQUEST', () => {
  const circle: unknown[] = []
  circle.push(circle)
  assert.throws(() => encodeValue(circle), { code: 'BAD_REQUEST' })
  assert.throws(() => encodeValue(2n ** 70n), { code: 'BAD_REQUEST' })
})
