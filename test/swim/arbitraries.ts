// Members, news and messages of any shape that the protocol allows.
import fc from 'fast-check'
import type { SwimMessage } from '../../broker/swim/codec.ts'
import { INCARNATION_MAX, type News, parseId } from '../../broker/swim/member.ts'

const host = fc.oneof(
  fc.ipV4(),
  fc.ipV6().map(address => `[${address}]`),
  fc.domain(),
  fc.constant('x'.repeat(249))
)

export const memberId = fc
  .tuple(host, fc.integer({ min: 1, max: 65_535 }))
  .map(([name, port]) => `${name}:${port}`)
  .filter(id => parseId(id) !== null)

export const instance = fc
  .uint8Array({ minLength: 8, maxLength: 8 })
  .map(bytes => Buffer.from(bytes).toString('hex'))

export const incarnation = fc.oneof(
  fc.integer({ min: 0, max: 5 }),
  fc.maxSafeNat().map(value => value % INCARNATION_MAX),
  fc.constant(INCARNATION_MAX - 1)
)

const value = fc.oneof(fc.boolean(), fc.double(), fc.string({ unit: 'grapheme', maxLength: 20 }))

export const meta = fc.dictionary(fc.string({ unit: 'grapheme', maxLength: 8 }), value, {
  maxKeys: 6,
  noNullPrototype: true
})

export const news: fc.Arbitrary<News> = fc
  .record({
    id: memberId,
    instance,
    incarnation,
    meta,
    accuser: memberId,
    state: fc.constantFrom('alive' as const, 'suspect' as const, 'dead' as const, 'left' as const)
  })
  .map(each => ({
    ...each,
    ...parseId(each.id)!,
    meta: each.state === 'alive' || each.state === 'suspect' ? each.meta : {},
    accuser: each.state === 'suspect' || each.state === 'dead' ? each.accuser : ''
  }))

const plain = { noNullPrototype: true }
const u32 = fc.integer({ min: 0, max: 0xffff_ffff })
const target = fc.record({ id: memberId, instance, incarnation }, plain)

export const message: fc.Arbitrary<SwimMessage> = fc.oneof(
  fc.record(
    { kind: fc.constant('ping' as const), sequence: u32, target, sender: memberId, digest: u32 },
    plain
  ),
  fc.record({ kind: fc.constant('ack' as const), sequence: u32, instance, digest: u32 }, plain),
  fc.record({ kind: fc.constant('nack' as const), sequence: u32 }, plain),
  fc.record({ kind: fc.constant('pingRequest' as const), sequence: u32, target, sender: memberId }, plain),
  fc.record({ kind: fc.constant('news' as const), news }, plain)
)
