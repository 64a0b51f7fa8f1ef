import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { ShoalError } from '../../broker/errors.ts'
import { isHidden, isWildcard, matches, validateFilter, validateTopic } from '../../broker/topics/filter.ts'
import { filters, topics } from './texts.ts'

const long = 'é'.repeat(32_767) // 65,534 bytes
const unfit: [text: string, reason: RegExp][] = [
  ['', /empty/],
  ['a\0b', /NUL/],
  ['\0', /NUL/],
  ['a\ud800', /surrogate/],
  ['\ud800b', /surrogate/],
  ['\udc00', /surrogate/],
  ['\ud83d\ud83d\udc1f', /surrogate/],
  ['x'.repeat(65_536), /65535 bytes/],
  [`${long}ab`, /65535 bytes/],
  ['/'.repeat(128), /128 levels/]
]
const fit = [
  'a',
  '/',
  '//',
  'a//b',
  '/a',
  'a/',
  ' ',
  'a b/c',
  'grüße/🐟',
  '$SYS/uptime',
  'x'.repeat(65_535),
  `${long}a`,
  '/'.repeat(127)
]

function refusal(code: string, reason: RegExp) {
  return (error: unknown): boolean => {
    assert.ok(error instanceof ShoalError)
    assert.equal(error.code, code)
    assert.match(String(error.fields['reason']), reason)
    assert.ok(error.message.length < 400)
    return true
  }
}

describe('what is a valid topic', () => {
  test('any text that is neither empty nor malformed nor too long, empty levels included', () => {
    for (const topic of fit) validateTopic(topic)
  })

  test('an unfit text is refused with its reason', () => {
    for (const [text, reason] of unfit)
      assert.throws(() => validateTopic(text), refusal('TOPIC_INVALID', reason))
  })

  test('a wildcard is refused wherever it stands', () => {
    for (const text of ['+', '#', 'a/+', 'a/#', 'a+b', 'a#', '#/a']) {
      assert.throws(() => validateTopic(text), refusal('TOPIC_INVALID', /wildcards/))
    }
  })
})

describe('what is a valid filter', () => {
  test('every valid topic', () => {
    for (const topic of fit) validateFilter(topic)
  })

  test('an unfit text is refused with its reason', () => {
    for (const [text, reason] of unfit)
      assert.throws(() => validateFilter(text), refusal('FILTER_INVALID', reason))
  })

  test('wildcards alone in their levels', () => {
    for (const filter of ['#', '+', '/#', '/+', '+/', '+/+', '+/#', 'a/+/b', 'a/#', '+//#', '$SYS/#']) {
      validateFilter(filter)
    }
  })

  test("'#' is refused unless it is alone in the last level", () => {
    for (const text of ['a#', '#a', 'a/b#', '#/a', 'a/#/b', '##', '#/', '+#']) {
      assert.throws(() => validateFilter(text), refusal('FILTER_INVALID', /'#'|'\+'/))
    }
  })

  test("'+' is refused unless it is alone in its level", () => {
    for (const text of ['a+', '+a', 'a/b+', 'a/+b/c', '++', 'a/++']) {
      assert.throws(() => validateFilter(text), refusal('FILTER_INVALID', /'\+'/))
    }
  })

  test('any text is either refused with the code of the table or as the rules of levels have it', () => {
    const text = fc.string({
      unit: fc.constantFrom('a', '+', '#', '/', '\0', '\ud83d', '\udc1f', 'é'),
      maxLength: 8
    })
    fc.assert(
      fc.property(text, filter => {
        const levels = filter.split('/')
        const valid =
          filter !== '' &&
          !filter.includes('\0') &&
          !/\p{Surrogate}/u.test(filter) &&
          levels.every(
            (level, i) => !/[+#]/.test(level) || level === '+' || (level === '#' && i === levels.length - 1)
          )
        if (valid) validateFilter(filter)
        else assert.throws(() => validateFilter(filter), { code: 'FILTER_INVALID' })
        if (valid && !/[+#]/.test(filter)) validateTopic(filter)
        else assert.throws(() => validateTopic(filter), { code: 'TOPIC_INVALID' })
      }),
      { numRuns: 1000 }
    )
  })
})

describe('which filter matches which topic', () => {
  const yes: [filter: string, topic: string][] = [
    ['a/b', 'a/b'],
    ['sport/tennis/player1/#', 'sport/tennis/player1'],
    ['sport/tennis/player1/#', 'sport/tennis/player1/ranking'],
    ['sport/tennis/player1/#', 'sport/tennis/player1/score/wimbledon'],
    ['sport/#', 'sport'],
    ['#', 'a'],
    ['#', '/'],
    ['#', 'a/$b'],
    ['sport/tennis/+', 'sport/tennis/player1'],
    ['sport/+', 'sport/'],
    ['+', 'finance'],
    ['+/+', '/finance'],
    ['/+', '/finance'],
    ['+/#', 'a'],
    ['/#', '/'],
    ['+//b', 'a//b'],
    ['a/+/b', 'a//b'],
    ['$SYS/#', '$SYS'],
    ['$SYS/#', '$SYS/uptime'],
    ['$SYS/+', '$SYS/uptime']
  ]
  const no: [filter: string, topic: string][] = [
    ['a/b', 'a'],
    ['a', 'a/b'],
    ['a', 'A'],
    ['a', '/a'],
    ['a/', 'a'],
    ['sport/tennis/+', 'sport/tennis/player1/ranking'],
    ['sport/+', 'sport'],
    ['+', '/finance'],
    ['a/b/#', 'a'],
    ['/#', 'a'],
    ['#', '$SYS/uptime'],
    ['#', '$SYS'],
    ['+', '$SYS'],
    ['+/#', '$SYS'],
    ['+/monitor/Clients', '$SYS/monitor/Clients']
  ]

  test('as section 4.7 has it', () => {
    for (const [filter, topic] of yes) assert.ok(matches(filter, topic), `${filter} matches ${topic}`)
    for (const [filter, topic] of no) assert.ok(!matches(filter, topic), `${filter} does not match ${topic}`)
  })

  test('a filter without wildcards matches the topic it equals and no other', () => {
    fc.assert(
      fc.property(topics, topics, (filter, topic) => {
        assert.equal(matches(filter, topic), filter === topic)
        assert.ok(matches(filter, filter))
        assert.ok(!isWildcard(filter))
      })
    )
  })

  test('a wildcard is seen wherever it stands, and a $ only at the beginning', () => {
    for (const filter of ['+', '#', 'a/+', 'a/#', '+/a', 'a/+/b']) assert.ok(isWildcard(filter), filter)
    assert.ok(isHidden('$SYS') && isHidden('$') && !isHidden('a/$b') && !isHidden('/$b'))
  })

  test('filters drawn for the other tests are valid', () => {
    fc.assert(fc.property(filters, validateFilter))
    fc.assert(fc.property(topics, validateTopic))
  })
})
