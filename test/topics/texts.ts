// Topics and filters that the tests of this folder draw: few names, so that many match.
import fc from 'fast-check'

const name = fc.constantFrom('', 'a', 'b', 'c', '$a', 'a-name-longer-than-twelve', 'größe')

/** Valid topics, empty levels and leading '$' among them. */
export const topics: fc.Arbitrary<string> = fc
  .array(name, { minLength: 1, maxLength: 5 })
  .map(levels => levels.join('/'))
  .filter(topic => topic !== '')

/** Valid filters, with and without wildcards. */
export const filters: fc.Arbitrary<string> = fc
  .tuple(
    fc.array(fc.oneof({ weight: 3, arbitrary: name }, { weight: 2, arbitrary: fc.constant('+') }), {
      maxLength: 5
    }),
    fc.boolean()
  )
  .map(([levels, open]) => [...levels, ...(open ? ['#'] : [])].join('/'))
  .filter(filter => filter !== '')
