import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { matches } from '../../broker/topics/filter.ts'
import { digestOf, RouteTable } from '../../broker/topics/routes.ts'
import { filters, topics } from './texts.ts'

interface Node {
  id: string
}

function matched(table: RouteTable<Node>, topic: string): Node[] {
  const into: Node[] = []
  table.match(topic, into)
  return into
}

describe('the table of routes', () => {
  const who = fc.nat({ max: 3 })
  const steps = fc.array(
    fc.oneof(
      { weight: 5, arbitrary: fc.record({ kind: fc.constant('add' as const), who, filter: filters }) },
      { weight: 3, arbitrary: fc.record({ kind: fc.constant('remove' as const), who, filter: filters }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('gone' as const), who }) }
    ),
    { maxLength: 60 }
  )

  test('it does what a set of filters for each node does', () => {
    fc.assert(
      fc.property(steps, fc.array(topics, { minLength: 1, maxLength: 8 }), (changes, sample) => {
        const nodes = [0, 1, 2, 3].map(i => ({ id: `node ${i}` }))
        const table = new RouteTable<Node>()
        // A map keeps the order in which nodes got their first filters.
        const model = new Map<Node, Set<string>>()
        for (const change of changes) {
          const node = nodes[change.who]!
          const known = model.get(node) ?? new Set()
          const version = table.version
          let changed: boolean
          if (change.kind === 'add') {
            changed = !known.has(change.filter)
            assert.equal(table.add(node, change.filter), changed)
            model.set(node, known.add(change.filter))
          } else if (change.kind === 'remove') {
            changed = known.delete(change.filter)
            assert.equal(table.remove(node, change.filter), changed)
            if (known.size === 0) model.delete(node)
          } else {
            changed = known.size > 0
            assert.equal(table.removeNode(node), known.size)
            model.delete(node)
          }
          assert.equal(table.version !== version, changed)
        }
        const sizes = [...model.values()].map(known => known.size)
        assert.equal(
          table.size,
          sizes.reduce((sum, size) => sum + size, 0)
        )
        for (const node of nodes) {
          const known = model.get(node) ?? new Set()
          assert.deepEqual([...table.filters(node)], [...known])
          assert.equal(table.count(node), known.size)
          assert.equal(table.digest(node), digestOf(known))
          for (const filter of known) assert.ok(table.has(node, filter))
        }
        for (const topic of sample) {
          const expected = [...model].filter(([, known]) => [...known].some(filter => matches(filter, topic)))
          assert.deepEqual(
            matched(table, topic),
            expected.map(([node]) => node)
          )
        }
      }),
      { numRuns: 500 }
    )
  })

  test('the digest of filters is the same in any order, and nothing remains of those that are gone', () => {
    const orders = fc
      .uniqueArray(filters)
      .chain(given => fc.tuple(fc.constant(given), fc.shuffledSubarray(given, { minLength: given.length })))
    fc.assert(
      fc.property(orders, filters, ([given, shuffled], other) => {
        assert.equal(digestOf(given), digestOf(shuffled))
        if (!given.includes(other)) assert.notEqual(digestOf([...given, other]), digestOf(given))
        const table = new RouteTable<Node>()
        const node = { id: 'a' }
        table.add(node, other)
        for (const filter of given) table.add(node, filter)
        if (!given.includes(other)) table.remove(node, other)
        assert.equal(table.digest(node), digestOf(shuffled))
      })
    )
    assert.equal(digestOf([]), 0)
  })

  // Fixed for ever: nodes of different versions compare them.
  test('filters have the digest they have always had', () => {
    assert.equal(digestOf(['a/b', '+/b', '#']), 1637494216)
  })

  test('a node that was never heard of has nothing', () => {
    const table = new RouteTable<Node>()
    const stranger = { id: 'stranger' }
    assert.deepEqual([...table.filters(stranger)], [])
    assert.deepEqual([table.count(stranger), table.digest(stranger), table.removeNode(stranger)], [0, 0, 0])
    assert.ok(!table.has(stranger, 'a') && !table.remove(stranger, 'a'))
  })

  test('matching appends to what is there, each node once', () => {
    const table = new RouteTable<Node>()
    const [a, b] = [{ id: 'a' }, { id: 'b' }]
    for (const filter of ['x/y', 'x/+', '#']) table.add(b, filter)
    table.add(a, 'x/y')
    const into: Node[] = [a]
    table.match('x/y', into)
    assert.deepEqual(into, [a, b, a])
  })
})
