import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  type Change,
  changesBetween,
  type Member,
  type MemberState,
  parseId,
  supersedes
} from '../../broker/swim/member.ts'

test('an id is a host and a port', () => {
  const table: [id: string, host: string, port: number][] = [
    ['10.0.0.1:7979', '10.0.0.1', 7979],
    ['node-1.example:1', 'node-1.example', 1],
    ['[::1]:65535', '::1', 65_535],
    ['[fe80::1%eth0]:80', 'fe80::1%eth0', 80]
  ]
  for (const [id, host, port] of table) assert.deepEqual(parseId(id), { host, port })
})

test('what is no id is refused', () => {
  const refused = [
    '',
    ':',
    'a',
    'a:',
    ':1',
    'a:0',
    'a:65536',
    'a:01',
    'a:1x',
    'a b:1',
    'a:b:1',
    '::1:80',
    'ü:1',
    'a\n:1'
  ]
  for (const id of [...refused, `${'x'.repeat(254)}:1`]) assert.equal(parseId(id), null, id)
})

const states: MemberState[] = ['alive', 'suspect', 'dead', 'left']

/** Few enough values that news often meet each other. */
const belief: fc.Arbitrary<Member> = fc.record(
  {
    id: fc.constant('a:1'),
    host: fc.constant('a'),
    port: fc.constant(1),
    meta: fc.constant({}),
    instance: fc.constantFrom('0'.repeat(16), 'f'.repeat(16)),
    incarnation: fc.integer({ min: 0, max: 2 }),
    state: fc.constantFrom(...states)
  },
  { noNullPrototype: true }
)

test('whatever the order in which news arrive, all believe the same in the end', () => {
  const hear = (news: Member[]): Member => news.reduce((held, each) => (supersedes(each, held) ? each : held))
  fc.assert(
    fc.property(
      fc
        .array(belief, { minLength: 1 })
        .chain(news => fc.tuple(fc.constant(news), fc.shuffledSubarray(news, { minLength: news.length }))),
      ([news, shuffled]) => {
        assert.deepEqual(hear(shuffled), hear(news))
      }
    )
  )
})

test('of two different beliefs exactly one supersedes the other', () => {
  fc.assert(
    fc.property(belief, belief, (a, b) => {
      const same = a.instance === b.instance && a.incarnation === b.incarnation && a.state === b.state
      assert.equal(supersedes(a, b) || supersedes(b, a), !same)
      assert.equal(supersedes(a, b) && supersedes(b, a), false)
    })
  )
})

test('a higher incarnation refutes anything, the same refutes nothing', () => {
  const held = (state: MemberState): Member => ({
    ...fc.sample(belief, 1)[0]!,
    incarnation: 5,
    instance: 'a',
    state
  })
  for (const state of states) {
    assert.ok(supersedes({ ...held('alive'), incarnation: 6 }, held(state)))
    assert.equal(supersedes(held('alive'), held(state)), false)
    assert.equal(supersedes({ ...held('left'), incarnation: 4 }, held(state)), false)
  }
})

test('each change of belief is told as what it means', () => {
  const meta = {}
  const member = (state: MemberState, instance = 'x', ownMeta = meta): Member => ({
    ...{ id: 'a:1', host: 'a', port: 1, incarnation: 1 },
    ...{ instance, state, meta: ownMeta }
  })
  const table: [before: Member | null, after: Member, changes: Change[]][] = [
    [null, member('alive'), ['joined']],
    [null, member('suspect'), ['joined', 'suspected']],
    [member('dead'), member('alive'), ['joined']],
    [member('left'), member('alive', 'y'), ['joined']],
    [member('alive'), member('alive'), []],
    [member('alive'), member('alive', 'x', {}), ['updated']],
    [member('alive'), member('suspect'), ['suspected']],
    [member('suspect'), member('suspect'), []],
    [member('suspect'), member('alive'), ['refuted']],
    [member('suspect'), member('alive', 'x', {}), ['refuted', 'updated']],
    [member('alive'), member('dead'), ['died']],
    [member('suspect'), member('left'), ['left']],
    [member('dead'), member('left'), []],
    [member('alive'), member('alive', 'y', {}), ['restarted']],
    [member('suspect'), member('suspect', 'y'), ['restarted', 'suspected']]
  ]
  for (const [before, after, changes] of table) {
    assert.deepEqual(changesBetween(before, after), changes, `${before?.state} to ${after.state}`)
  }
})
