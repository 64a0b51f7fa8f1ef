import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { checkMixture, readMixture } from '../../../load/mixed/mixture.ts'
import { layOutMixed } from '../../../load/mixed/plan.ts'
import { checkOptions, parseCommandLine } from '../../../load/options.ts'
import { repositoryRoot } from '../../support/root.ts'

const options = checkOptions(parseCommandLine(['--rate', '70', '--window', '12']).raw)
const meters = { publishers: 2, subscribers: [{}] }

test('what a group does not say, the command line does', () => {
  const { groups, idle } = checkMixture({ groups: { meters } }, options)
  const { ratePerSecond, window, batch, qos, subscribers, urls } = groups[0]!
  assert.deepEqual([idle, ratePerSecond, window, batch, qos], [0, 70, 12, 3, 0])
  assert.deepEqual(subscribers, [{ count: 1, filter: '#', qos: 0, urls }])
  assert.equal(
    checkMixture({ groups: { meters: { ...meters, rate: 'max' } } }, options).groups[0]!.ratePerSecond,
    0
  )
})

test('what is wrong in a file is named by its place', () => {
  const check = (value: unknown) => () => checkMixture(value, options)
  const group = (change: object) => check({ groups: { meters: { ...meters, ...change } } })
  assert.throws(check(null), /the file.*a mapping/)
  assert.throws(check({ group: {} }), /at group, .*groups/)
  assert.throws(check({}), /at groups, .*at least one/)
  assert.throws(group({ publishers: 0 }), /groups\.meters\.publishers.*from 1/)
  assert.throws(group({ rate: -1 }), /groups\.meters\.rate/)
  assert.throws(group({ qos: 3 }), /groups\.meters\.qos.*0, 1, 2/)
  assert.throws(group({ qos: 2, url: 'http://h' }), /groups\.meters\.qos.*only MQTT/)
  assert.throws(group({ ratte: 1 }), /groups\.meters\.ratte.*allowed rate/)
  assert.throws(group({ subscribers: [] }), /groups\.meters\.subscribers/)
  assert.throws(group({ subscribers: [{ filter: 'x' }] }), /subscribers\[0\]\.filter.*own/)
  assert.throws(group({ subscribers: [{ url: 'http://h' }] }), /subscribers\[0\]\.url.*only publish/)
  assert.throws(group({ url: 'amqp://h' }), /groups\.meters\.url.*mqtt/)
  assert.throws(() => readMixture(undefined, options), /takes a file/)
  assert.throws(() => readMixture('/nowhere.yaml', options), /ENOENT/)
})

test('a payload that is too small for its stamp is refused', () => {
  const posted = { publishers: 1, payload: 20, url: 'http://h', subscribers: [{}] }
  const lay = (groups: object) => layOutMixed(checkMixture({ groups }, options), options, 'id')
  assert.equal(lay({ meters }).stamp, 'binary')
  assert.throws(() => lay({ posted }), /groups\.posted\.payload.*32 bytes/)
})

test('the example is a sound mixture', () => {
  const mixture = readMixture(join(repositoryRoot(), 'load', 'mixed', 'house.yaml'), options)
  const plan = layOutMixed(mixture, options, 'id')
  assert.equal(plan.stamp, 'text')
  assert.equal(plan.paces.length, mixture.groups.length)
})

test('every stream has as many subscribers as its publisher expects, and paces count their publishers', () => {
  const subscriber = fc.record({
    count: fc.integer({ min: 1, max: 9 }),
    filter: fc.constantFrom('#', 'own', '+/+', '+/#')
  })
  const group = fc.record({
    publishers: fc.integer({ min: 1, max: 5 }),
    topics: fc.integer({ min: 1, max: 3 }),
    rate: fc.constantFrom<number | string>(10, 'max'),
    subscribers: fc.array(subscriber, { minLength: 1, maxLength: 3 })
  })
  fc.assert(
    fc.property(group, group, (one, two) => {
      const plan = layOutMixed(checkMixture({ groups: { one, two } }, options), options, 'id')
      const seen = new Array<number>(plan.streams).fill(0)
      const expected = new Array<number>(plan.streams).fill(-1)
      for (const { publish, subscribe } of plan.clients) {
        for (let i = 0; i < (subscribe?.streams ?? 0); i++) seen[subscribe!.firstStream + i]! += 1
        for (let i = 0; i < (publish?.topics.length ?? 0); i++)
          expected[publish!.firstStream + i] = publish!.fanout
      }
      assert.deepEqual(seen, expected)
      plan.paces.forEach(({ publishers }, pace) => {
        assert.equal(plan.clients.filter(({ publish }) => publish?.pace === pace).length, publishers)
      })
      assert.equal(new Set(plan.clients.map(({ clientId }) => clientId)).size, plan.clients.length)
    })
  )
})
