import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { matches } from '../../broker/topics/filter.ts'
import { Level } from '../../broker/topics/level.ts'
import { Trie } from '../../broker/topics/trie.ts'
import { filters, topics } from './texts.ts'

function matched<V>(trie: Trie<V>, topic: string): V[] {
  const into: V[] = []
  trie.match(topic, into)
  return into
}

describe('the trie', () => {
  test('it gives what comparing the topic with every filter gives, whatever was added and removed', () => {
    const changes = fc.array(fc.record({ add: fc.boolean(), filter: filters, value: fc.nat({ max: 2 }) }), {
      maxLength: 60
    })
    fc.assert(
      fc.property(changes, fc.array(topics, { maxLength: 10 }), (steps, sample) => {
        const trie = new Trie<string>()
        const model = new Map<string, string>()
        for (const { add, filter, value } of steps) {
          const pair = `${filter} ${value}`
          if (add) {
            assert.equal(trie.add(filter, pair), !model.has(pair))
            model.set(pair, filter)
          } else {
            assert.equal(trie.remove(filter, pair), model.delete(pair))
          }
          assert.equal(trie.size, model.size)
        }
        for (const topic of sample) {
          const expected = [...model].filter(([, filter]) => matches(filter, topic)).map(([pair]) => pair)
          assert.deepEqual(matched(trie, topic).sort(), expected.sort())
        }
        const listed: [string, string][] = []
        trie.forEach((filter, pair) => {
          listed.push([pair, filter])
        })
        assert.deepEqual(listed.sort(), [...model].sort())
      }),
      { numRuns: 500 }
    )
  })

  test('nothing is left of filters that are gone', () => {
    fc.assert(
      fc.property(fc.uniqueArray(filters), given => {
        const trie = new Trie<number>()
        for (const filter of given) trie.add(filter, 1)
        for (const filter of given) trie.remove(filter, 1)
        assert.deepEqual(Reflect.get(trie, 'root'), new Level('', null))
      })
    )
  })

  test('values of one filter come in the order in which they were added', () => {
    const trie = new Trie<string>()
    for (const value of ['x', 'y', 'z', 'w']) trie.add('a/+', value)
    trie.remove('a/+', 'y')
    trie.add('a/+', 'y')
    assert.deepEqual(matched(trie, 'a/b'), ['x', 'z', 'w', 'y'])
  })

  test('matching appends to what is there', () => {
    const trie = new Trie<string>()
    trie.add('#', 'x')
    const into = ['before']
    trie.match('a', into)
    assert.deepEqual(into, ['before', 'x'])
  })

  test('a topic and a filter of the most levels are matched', () => {
    const topic = Array.from({ length: 128 }, () => 'a').join('/')
    const trie = new Trie<string>()
    trie.add(topic, 'exact')
    trie.add(topic.replaceAll('a', '+'), 'any')
    trie.add(`${topic.slice(2)}/#`, 'rest')
    assert.deepEqual(matched(trie, topic).sort(), ['any', 'exact', 'rest'])
  })

  test('a short topic after a long one is not taken for the long one', () => {
    const trie = new Trie<string>()
    trie.add('a/b/c', 'x')
    trie.add('a/+', 'y')
    assert.deepEqual(matched(trie, 'a/b/c'), ['x'])
    assert.deepEqual(matched(trie, 'a/b'), ['y'])
    assert.deepEqual(matched(trie, 'a'), [])
  })
})
