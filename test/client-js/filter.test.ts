// The client's matcher against the rules of MQTT, and against a plain one that splits levels.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { matches } from '../../client-js/filter.ts'

test('filters match as MQTT says', () => {
  for (const [filter, topic, expected] of [
    ['a/b', 'a/b', true],
    ['a/b', 'a/bc', false],
    ['a/bc', 'a/b', false],
    ['a', 'a/', false],
    ['a/+', 'a/b', true],
    ['a/+', 'a/', true],
    ['a/+', 'a', false],
    ['a/+', 'a/b/c', false],
    ['+/b', '/b', true],
    ['+/+', '/', true],
    ['+', '/', false],
    ['/+', '/a', true],
    ['#', 'a/b/c', true],
    ['#', '/', true],
    ['a/#', 'a', true],
    ['a/#', 'a/', true],
    ['a/#', 'a/b/c', true],
    ['a/#', 'ab', false],
    ['a/+/#', 'a', false],
    ['a/+/#', 'a/b', true],
    ['+/#', 'a', true],
    ['#', '$SYS/x', false],
    ['+/x', '$SYS/x', false],
    ['$SYS/#', '$SYS/x', true],
    ['$SYS/+', '$SYS/x', true],
    ['a/$x', 'a/$x', true],
    ['a/#', 'a/$x', true]
  ] as const) {
    assert.equal(matches(filter, topic), expected, `${filter} ~ ${topic}`)
  }
})

test('the matcher agrees with one that splits the levels', () => {
  const level = fc.constantFrom('', 'a', 'b', 'ab', '$s', 'ü')
  const topics = fc.array(level, { minLength: 1, maxLength: 5 }).map(levels => levels.join('/'))
  const filters = fc
    .tuple(fc.array(fc.oneof(level, fc.constant('+')), { minLength: 1, maxLength: 5 }), fc.boolean())
    .map(([levels, open]) => [...levels, ...(open ? ['#'] : [])].join('/'))
  fc.assert(
    fc.property(filters, topics, (filter, topic) => {
      assert.equal(matches(filter, topic), plainMatches(filter, topic))
    }),
    { numRuns: 5_000 }
  )
})

function plainMatches(filter: string, topic: string): boolean {
  if (/^[+#]/.test(filter) && topic.startsWith('$')) return false
  const wanted = filter.split('/')
  const levels = topic.split('/')
  const open = wanted.at(-1) === '#'
  if (open) wanted.pop()
  if (open ? levels.length < wanted.length : levels.length !== wanted.length) return false
  return wanted.every((level, i) => level === '+' || level === levels[i])
}
