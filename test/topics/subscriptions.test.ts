import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { QoS } from '../../broker/message.ts'
import { matches } from '../../broker/topics/filter.ts'
import {
  type Match,
  type Subscriber,
  Subscription,
  type SubscriptionOptions
} from '../../broker/topics/subscription.ts'
import { SubscriptionTable } from '../../broker/topics/subscriptions.ts'
import { filters, topics } from './texts.ts'

class Named implements Subscriber {
  readonly name: string
  constructor(name: string) {
    this.name = name
  }
  deliver(): void {
    throw new Error('the table delivers nothing')
  }
}

const plain: SubscriptionOptions = { qos: 0, noLocal: false, retainAsPublished: false, identifier: 0 }
const options: fc.Arbitrary<SubscriptionOptions> = fc.record({
  qos: fc.constantFrom<QoS>(0, 1, 2),
  noLocal: fc.boolean(),
  retainAsPublished: fc.boolean(),
  identifier: fc.nat({ max: 3 })
})

/** A table that does everything by looking at everything. */
class Model {
  list: Subscription[] = []
  /** Filters with subscribers, in the order in which they came. */
  rows: string[] = []

  add(subscription: Subscription): { replaced: Subscription | null; first: boolean } {
    const place = this.list.findIndex(isOf(subscription.subscriber, subscription.filter))
    if (place !== -1) return { replaced: this.list.splice(place, 1, subscription)[0]!, first: false }
    const first = !this.rows.includes(subscription.filter)
    if (first) this.rows.push(subscription.filter)
    this.list.push(subscription)
    return { replaced: null, first }
  }

  remove(subscriber: Subscriber, filter: string): { removed: Subscription; last: boolean } | null {
    const place = this.list.findIndex(isOf(subscriber, filter))
    if (place === -1) return null
    const [removed] = this.list.splice(place, 1)
    const last = !this.list.some(one => one.filter === filter)
    if (last) this.rows = this.rows.filter(row => row !== filter)
    return { removed: removed!, last }
  }

  removeAll(subscriber: Subscriber): string[] {
    const mine = this.list.filter(one => one.subscriber === subscriber).map(one => one.filter)
    return mine.filter(filter => this.remove(subscriber, filter)!.last)
  }

  match(topic: string): Map<Subscriber, Subscription[]> {
    const found = new Map<Subscriber, Subscription[]>()
    for (const row of this.rows.filter(filter => matches(filter, topic))) {
      for (const one of this.list.filter(({ filter }) => filter === row)) {
        found.set(one.subscriber, [...(found.get(one.subscriber) ?? []), one])
      }
    }
    return found
  }
}

function isOf(subscriber: Subscriber, filter: string) {
  return (one: Subscription): boolean => one.subscriber === subscriber && one.filter === filter
}

function assertMerged(match: Match, from: Subscription[]): void {
  if (from.length === 1) assert.equal(match, from[0])
  assert.deepEqual(
    { ...match, subscriber: null, filter: null },
    {
      subscriber: null,
      filter: null,
      qos: Math.max(...from.map(one => one.qos)),
      noLocal: from.every(one => one.noLocal),
      retainAsPublished: from.some(one => one.retainAsPublished),
      identifiers: from.flatMap(one => one.identifiers)
    }
  )
}

describe('the table of subscriptions', () => {
  const who = fc.nat({ max: 5 })
  const steps = fc.array(
    fc.oneof(
      {
        weight: 5,
        arbitrary: fc.record({ kind: fc.constant('add' as const), who, filter: filters, options })
      },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant('remove' as const), who, filter: filters }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('gone' as const), who }) }
    ),
    { maxLength: 60 }
  )

  test('it does what a table does that looks at everything', () => {
    fc.assert(
      fc.property(steps, fc.array(topics, { minLength: 1, maxLength: 8 }), (changes, sample) => {
        const subscribers = [0, 1, 2, 3, 4, 5].map(i => new Named(`subscriber ${i}`))
        const table = new SubscriptionTable()
        const model = new Model()
        for (const change of changes) {
          const subscriber = subscribers[change.who]!
          if (change.kind === 'add') {
            const subscription = new Subscription(subscriber, change.filter, change.options)
            assert.deepEqual(table.add(subscription), model.add(subscription))
          } else if (change.kind === 'remove') {
            assert.deepEqual(table.remove(subscriber, change.filter), model.remove(subscriber, change.filter))
          } else {
            assert.deepEqual(table.removeAll(subscriber).sort(), model.removeAll(subscriber).sort())
          }
          assert.equal(table.count, model.list.length)
        }
        assert.deepEqual([...table.filters()], model.rows)
        for (const topic of sample) {
          const expected = model.match(topic)
          const found = table.match(topic)
          assert.equal(found.length, expected.size)
          for (const match of found) assertMerged(match, expected.get(match.subscriber)!)
          assert.equal(new Set(found.map(match => match.subscriber)).size, found.length)
        }
      }),
      { numRuns: 500 }
    )
  })

  test('its version differs after every change, and only then', () => {
    const table = new SubscriptionTable()
    const subscriber = new Named('a')
    const versions = [table.version]
    const change = (run: () => void): void => {
      run()
      assert.ok(!versions.includes(table.version))
      versions.push(table.version)
    }
    change(() => table.add(new Subscription(subscriber, 'x', plain)))
    change(() => table.add(new Subscription(subscriber, 'x', { ...plain, qos: 1 })))
    change(() => table.remove(subscriber, 'x'))
    change(() => table.add(new Subscription(subscriber, '#', plain)))
    change(() => table.removeAll(subscriber))
    table.remove(subscriber, 'x')
    table.removeAll(subscriber)
    table.match('x')
    assert.equal(table.version, versions.at(-1))
  })

  test('a list of matches stays as it was when subscribers come and go', () => {
    const table = new SubscriptionTable()
    const subscribers = ['a', 'b', 'c'].map(name => new Named(name))
    for (const subscriber of subscribers) table.add(new Subscription(subscriber, 'x', plain))
    const before = table.match('x')
    table.removeAll(subscribers[0]!)
    table.add(new Subscription(new Named('d'), 'x', plain))
    assert.deepEqual(
      before.map(match => match.subscriber),
      subscribers
    )
    assert.equal(table.match('x').length, 3)
  })

  test('overlapping subscriptions make one match: highest QoS, all identifiers in the order of filters', () => {
    const table = new SubscriptionTable()
    const subscriber = new Named('a')
    const add = (filter: string, qos: QoS, identifier: number): void => {
      table.add(new Subscription(subscriber, filter, { ...plain, qos, identifier }))
    }
    add('a/+', 0, 9)
    add('#', 2, 4)
    add('a/b', 1, 9)
    add('a/#', 0, 0)
    assert.deepEqual(
      table.match('a/b').map(({ qos, identifiers }) => ({ qos, identifiers })),
      [{ qos: 2, identifiers: [9, 4, 9] }]
    )
  })

  test('thousands of subscribers of one filter leave it in any order, one of them at a time', () => {
    const table = new SubscriptionTable()
    const subscribers = Array.from({ length: 5000 }, (_, i) => new Named(`${i}`))
    for (const subscriber of subscribers) table.add(new Subscription(subscriber, 'x/#', plain))
    const left = new Set<Subscriber>(subscribers)
    for (let i = 0; i < 5000; i++) {
      const subscriber = subscribers[(i * 2741) % 5000]! // Has no factor in common with 5,000: meets each once.
      left.delete(subscriber)
      assert.deepEqual(table.removeAll(subscriber), left.size === 0 ? ['x/#'] : [])
      if (i % 500 === 0) assert.deepEqual(new Set(table.match('x/y').map(match => match.subscriber)), left)
    }
    assert.equal(table.count, 0)
    assert.deepEqual([...table.filters()], [])
    assert.deepEqual(table.match('x/y'), [])
  })
})
