// The persistence against the suite of aedes-persistence: on a node that is alone, and on a node of three, where most of what is
// stored is another's.
import { before, test } from 'node:test'
import { fileScope } from './file-scope.ts'
import { type Member, startRing, wipe } from './rings.ts'
import { persistenceSuite } from './suites.ts'

const scope = fileScope()
const alone: Member[] = []
const three: Member[] = []
before(async () => {
  alone.push(...(await startRing(scope, 1)))
  three.push(...(await startRing(scope, 3)))
})

/** Of several nodes, each gives the wills that it keeps; and clients come in no order. */
const OF_ONE_NODE: ReadonlySet<string> = new Set([
  'get client list after subscriptions',
  'stream all will messages',
  'stream all will message for unknown brokers'
])

for (const [count, members] of [
  [1, alone],
  [3, three]
] as const)
  persistenceSuite({
    test: ((name: string, run: () => Promise<void>) =>
      test(`of ${count}: ${name}`, { skip: count > 1 && OF_ONE_NODE.has(name) }, run)) as typeof test,
    // Each test of the suite expects that nothing is stored yet.
    persistence: async () => {
      wipe(members)
      return members[0]!.persistence
    },
    testAsync: true
  })
