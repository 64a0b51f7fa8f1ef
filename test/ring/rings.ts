// What the tests of the ring draw from.
import fc from 'fast-check'
import { Ring, type RingNode } from '../../broker/ring/ring.ts'

/** 1 to 12 nodes with distinct ids, some of them with points of their own. */
export const nodes: fc.Arbitrary<RingNode[]> = fc.uniqueArray(
  fc.record({
    id: fc.nat({ max: 40 }).map(i => `10.0.0.${i}:7979`),
    points: fc.option(fc.integer({ min: 1, max: 20 }), { nil: undefined })
  }),
  { minLength: 1, maxLength: 12, selector: node => node.id }
)

export const keys = fc.array(fc.string(), { minLength: 1, maxLength: 20 })

export function ringOf(ids: string[]): Ring {
  return new Ring(ids.map(id => ({ id })))
}
